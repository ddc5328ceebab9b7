#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the Grafana boards beside it: boards.py [FOLDER]. A panel is (title, unit, kind, [(query, legend)])."""
import json
import os
import sys

R = "[$__rate_interval]"


def p95(name, by="", q=0.95):
    return "histogram_quantile(%s, sum by (le%s) (rate(%s_bucket%s)))" % (q, ", " + by if by else "", name, R)


def rate(name, by=None):
    return "sum%s (rate(%s%s))" % (" by (%s)" % by if by else "", name, R)


BOARDS = {
    "overview": ("Sallyport: overview", [
        ("Live calls", "short", "timeseries", [("sallyport_calls_live", "calls")]),
        ("Calls a second", "cps", "timeseries", [(rate("sallyport_calls_total", "direction"), "{{direction}}"),
                                                 (rate("sallyport_calls_refused_total"), "refused")]),
        ("Answered of those that ended", "percentunit", "timeseries",
         [("sum(rate(sallyport_calls_answered_total%s)) / sum(rate(sallyport_calls_ended_total%s))" % (R, R), "answer-seizure ratio")]),
        ("Post-dial delay", "s", "timeseries", [(p95("sallyport_call_pdd_seconds", "direction"), "p95 {{direction}}"),
                                                (p95("sallyport_call_pdd_seconds", "", 0.5), "p50")]),
        ("Set-up", "s", "timeseries", [(p95("sallyport_call_setup_seconds", "direction"), "p95 {{direction}}")]),
        ("Mean length of calls", "s", "timeseries",
         [("sum(rate(sallyport_call_length_seconds_sum%s)) / sum(rate(sallyport_call_length_seconds_count%s))" % (R, R), "length")]),
        ("Why calls failed or sounded bad", "cps", "timeseries", [(rate("sallyport_cause_total", "cause") + " > 0", "{{cause}}")]),
        ("Records that wait", "short", "timeseries", [("sallyport_records_waiting", "for the disk"), ("sallyport_push_waiting", "for the receiver")]),
    ]),
    "trunks": ("Sallyport: trunks", [
        ("Health (1 up, 2 down)", "short", "state-timeline", [("sallyport_trunk_state", "{{trunk}}")]),
        ("Dialogs", "short", "timeseries", [("sallyport_trunk_dialogs", "{{trunk}}")]),
        ("Answered of those that ended", "percentunit", "timeseries",
         [("rate(sallyport_trunk_answered_total%s) / rate(sallyport_trunk_seizures_total%s)" % (R, R), "{{trunk}}")]),
        ("Certificates: days left", "d", "timeseries", [("((sallyport_trunk_certificate_expiry_seconds > 0) - time()) / 86400", "ours, {{trunk}}"),
                                                        ("((sallyport_trunk_peer_certificate_expiry_seconds > 0) - time()) / 86400", "theirs, {{trunk}}")]),
        ("SIP requests", "cps", "timeseries", [(rate("sallyport_sip_invites_total", "direction"), "INVITE {{direction}}"),
                                               (rate("sallyport_sip_options_total", "direction"), "OPTIONS {{direction}}")]),
        ("TLS handshakes", "cps", "timeseries", [(rate("sallyport_sip_tls_handshakes_total", "result"), "{{result}}")]),
        ("No ACK, no answer in time", "cps", "timeseries", [(rate("sallyport_sip_no_ack_total"), "no ACK"),
                                                            (rate("sallyport_sip_late_answers_total"), "late answer")]),
    ]),
    "media": ("Sallyport: media", [
        ("Score of legs, one in ten below", "short", "timeseries", [(p95("sallyport_leg_mos", "leg, direction", 0.1), "{{leg}} {{direction}}")]),
        ("Load of packet threads", "percentunit", "timeseries", [("sallyport_media_load_busy_permille / 1000", "busiest"),
                                                                 ("sallyport_media_load_verdict", "verdict")]),
        ("Wait of packets, p99", "µs", "timeseries", [("sallyport_media_load_age_us", "age")]),
        ("Dropped packets", "pps", "timeseries", [(rate("sallyport_media_dropped_total", "reason") + " > 0", "{{reason}}")]),
        ("One-way audio", "short", "timeseries", [("increase(sallyport_oneway_audio_total%s)" % R, "calls")]),
        ("Media process", "short", "timeseries", [("sallyport_media_ready", "ready"), ("increase(sallyport_media_lost_total%s)" % R, "lost")]),
    ]),
    "security": ("Sallyport: security", [
        ("Refusals", "cps", "timeseries", [(rate("sallyport_refusals_total", "rule") + " > 0", "{{rule}}")]),
        ("Before the parser", "pps", "timeseries", [(rate("sallyport_sip_refused_total", "what"), "{{what}}"),
                                                    (rate("sallyport_sip_strangers_total"), "strangers")]),
        ("HTTP refused", "reqps", "timeseries", [(rate("sallyport_http_refused_total", "server, rule"), "{{server}} {{rule}}")]),
        ("Media of the wrong source or tag", "pps", "timeseries",
         [('sum by (reason) (rate(sallyport_media_dropped_total{reason=~"auth|replay|wrong_source|no_session"}%s))' % R, "{{reason}}")]),
        ("Callers vouched for", "cps", "timeseries", [(rate("sallyport_stir_verified_total", "outcome"), "{{outcome}}")]),
        ("Registrations", "cps", "timeseries", [(rate("sallyport_sip_registrations_total", "result"), "{{result}}"),
                                                (rate("sallyport_sip_challenges_total", "answered"), "challenge answered: {{answered}}")]),
    ]),
}
SOURCE = {"type": "prometheus", "uid": "${source}"}


def panel(i, title, unit, kind, queries):
    return {"id": i + 1, "type": kind, "title": title, "datasource": SOURCE,
            "gridPos": {"x": 12 * (i % 2), "y": 8 * (i // 2), "w": 12, "h": 8},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [{"refId": chr(65 + k), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
                        for k, (expr, legend) in enumerate(queries)]}


def board(name):
    title, panels = BOARDS[name]
    return {"title": title, "uid": "sallyport-" + name, "schemaVersion": 36, "refresh": "30s", "time": {"from": "now-6h", "to": "now"},
            "tags": ["sallyport"], "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
            "panels": [panel(i, *p) for i, p in enumerate(panels)]}


def text(name):
    return json.dumps(board(name), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for one in BOARDS:
        with open(os.path.join(folder, one + ".json"), "w", encoding="utf-8") as f:
            f.write(text(one))
