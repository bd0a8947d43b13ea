"""Answers as text and as JSON, for people and for programs: a module for each kind."""

from xavinit.report.explanations import explanation_to_json, format_explanation
from xavinit.report.outputs import format_report, report_to_json
from xavinit.report.plans import format_plan, format_total, plan_to_json
from xavinit.report.verdicts import format_verdict, verdict_to_json

__all__ = [
    "explanation_to_json",
    "format_explanation",
    "format_plan",
    "format_report",
    "format_total",
    "format_verdict",
    "plan_to_json",
    "report_to_json",
    "verdict_to_json",
]
