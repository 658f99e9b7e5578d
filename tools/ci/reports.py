# SPDX-License-Identifier: Apache-2.0
"""The JUnit files of build/reports: which are a tier's, and what they count."""
import pathlib
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

REPORTS = pathlib.Path(__file__).parent.parent.parent / "build" / "reports"


@dataclass
class Counts:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (class, name)
    ran: set[str] = field(default_factory=set)  # classes

    def __str__(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def count(paths) -> Counts:
    counts = Counts()
    for path in sorted(paths):
        for case in xml.parse(path).iter("testcase"):
            group, name = case.get("classname"), case.get("name")
            if case.find("skipped") is not None or case.get("status") == "notrun":
                counts.skipped.append((group, name))
                continue
            counts.ran.add(group)
            if case.find("failure") is not None or case.find("error") is not None:
                counts.failed.append(f"{group} {name}")
            else:
                counts.passed += 1
    return counts


def of_tier(tier: str) -> list[pathlib.Path]:
    return [*REPORTS.glob(f"{tier}.xml"), *REPORTS.glob(f"{tier}-*.xml")]


def forget(tier: str) -> None:
    REPORTS.mkdir(parents=True, exist_ok=True)
    for path in of_tier(tier):
        path.unlink()


def close(tier: str, why: str) -> Counts:
    """What the tier counts, its command included where no test says the same; `why` it failed, or ""."""
    try:
        counts = count(of_tier(tier))
    except xml.ParseError as error:  # cut off as it was written
        forget(tier)
        counts, why = Counts(), why or f"its report is cut: {error}"
    says_so = counts.failed if why else counts.passed or counts.skipped
    if says_so:
        return counts
    failure = f"<failure message={quoteattr(why)}/>" if why else ""
    (REPORTS / f"{tier}-tier.xml").write_text(
        f'<testsuite name="tier"><testcase classname="tier" name={quoteattr(tier)}>{failure}'
        "</testcase></testsuite>\n")
    return count(of_tier(tier))
