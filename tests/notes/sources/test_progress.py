"""What a terminal and what a log see of a download."""

import io

from notes.sources import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def report_two_files(stream):
    with progress.show_progress(stream) as report:
        for name in ("one.gz", "two.gz"):
            for done in range(0, 3_000_001, 100_000):
                report(name, done, 3_000_000)


def test_a_log_gets_one_line_a_file():
    log = io.StringIO()
    report_two_files(log)
    assert log.getvalue() == "one.gz: 3.0 MB\ntwo.gz: 3.0 MB\n"


def test_a_slow_file_gets_a_line_each_time_the_pause_is_over(monkeypatch):
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    log = io.StringIO()
    with progress.show_progress(log) as report:
        for done in range(6):
            report("one.gz", done * 1_000_000, 9_000_000)
    assert log.getvalue() == "one.gz: 3.0 MB of 9.0 MB\n"


def test_a_file_of_unknown_size_gets_no_line_before_the_pause_is_over():
    log = io.StringIO()
    with progress.show_progress(log) as report:
        report("one.gz", 0, None)
        report("one.gz", 5, None)
    assert log.getvalue() == ""


def test_a_terminal_gets_a_bar_a_file():
    terminal = Terminal()
    report_two_files(terminal)
    assert "one.gz" in terminal.getvalue()
    assert "3.0/3.0 MB" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()
