"""The figures as Markdown: under which conditions, the table with ratios to perfgate, what each tool means."""

import datetime
import os
import pathlib
import platform

COLUMNS = [
    "streams",
    "tool",
    "TTFT P50 error, ms",
    "TTFT P99 error, ms",
    "TPOT P50 error, ms",
    "in flight",
    "CPU-s per million tokens, streaming",
    "… to the report",
    "CPU-s to start",
    "memory, MB",
    "whole command, s",
]


def signed(value, digits):
    """With its sign; what rounds to zero has none of its own."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def conditions(rounds, load_average, measured):
    """One sentence each: when and where, how often, and how late the server itself was."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    times = "one round" if rounds == 1 else f"median of {rounds} rounds"
    late_ms = {"ttft_p50_ms": 0, "ttft_p99_ms": 0}
    for runs in measured.values():
        for run in runs:
            late_ms = {name: max(late, run["true"][name] - 50) for name, late in late_ms.items()}
    return (
        f"Measured {today} on {os.cpu_count()} cores of {processor()}, Linux {platform.release()}, load average "
        f"{load_average:.1f} at the start; {times}. The server's own first tokens left at most "
        f"{late_ms['ttft_p50_ms']:.2f} ms (P50) and {late_ms['ttft_p99_ms']:.2f} ms (P99) late, which is subtracted."
    )


def ratio(value, of):
    """How often perfgate's figure goes into this one; nothing where the clock's ticks were too coarse for perfgate."""
    if of <= 0:
        return ""
    times = value / of
    return f" ({times:.0f}×)" if times >= 9.5 else f" ({times:.1f}×)"


def row(streams, label, figures, perfgate):
    def beside(name, digits):
        text = f"{figures[name]:,.{digits}f}"
        return text if perfgate is None or perfgate is figures else text + ratio(figures[name], perfgate[name])

    error = figures["error"]
    return [
        str(streams),
        label,
        signed(error["ttft_p50_ms"], 2),
        signed(error["ttft_p99_ms"], 2),
        signed(error["tpot_p50_ms"], 4),
        f"{figures['in_flight']:.0f}",
        beside("streaming_cpu_s_per_million", 1),
        beside("reported_cpu_s_per_million", 1),
        beside("startup_cpu_s", 1),
        beside("memory_mb", 0),
        beside("wall_s", 1),
    ]


def figures(medians, versions):
    """`medians` has figures by (streams, tool); ratios are to perfgate at the same streams."""
    rows = [
        row(streams, f"{tool} {versions[tool]}", one, medians.get((streams, "perfgate")))
        for (streams, tool), one in medians.items()
    ]
    rule = ["--:", "---"] + ["--:"] * (len(COLUMNS) - 2)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [COLUMNS, rule, *rows])


def definitions(chosen):
    return "\n".join(f"- **{tool.name}**: {tool.meaning}." for tool in chosen)
