"""What the demo asks production's other databases, by queries of its own."""

from __future__ import annotations

from datetime import datetime

import proof
from cluster import SUPERUSER
from fleet import Site
from proof import Verdict


def conninfos(site: Site) -> dict[str, str]:
    """Connection strings of a site's siblings, by target."""
    return {sibling.target: site.cluster.conninfo(SUPERUSER, database=sibling.database) for sibling in site.siblings}


def dumps(site: Site) -> dict[str, str]:
    """The schemas of a site's siblings, by target, without Curlew's own."""
    return {sibling.target: site.cluster.schema_dump(database=sibling.database) for sibling in site.siblings}


def moment(conninfo: str, query: str) -> datetime | None:
    """The one time that a query returns."""
    with proof.snapshot(conninfo) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def judge_untouched(site: Site, before: dict[str, str]) -> list[Verdict]:
    """No run in their journals, and the schema that was there."""
    runs = {target: proof.count(conninfo, "SELECT count(*) FROM curlew.run")
            for target, conninfo in conninfos(site).items()}
    changed = [target for target, dump in dumps(site).items() if dump != before[target]]
    return [
        Verdict(f"{site.name}: runs in the {len(runs)} other journals", f"{sum(runs.values())}",
                bool(runs) and not any(runs.values()), [f"{target}: {n}" for target, n in runs.items() if n]),
        Verdict(f"{site.name}: pg_dump of the {len(before)} others", "identical" if not changed else "they differ",
                bool(before) and not changed, changed),
    ]


def judge_migrated(site: Site) -> list[Verdict]:
    """The schema that the first database has now, nothing left over, and each number normalised."""
    expected = site.cluster.schema_dump()
    different = [target for target, dump in dumps(site).items() if dump != expected]
    left = {target: proof.left_over(conninfo) for target, conninfo in conninfos(site).items()}
    rows = proof.Comparison()
    for conninfo in conninfos(site).values():
        rows += proof.numbers_are_normalised(conninfo)
    return [
        Verdict(f"{site.name}: schema of the {len(site.siblings)} others",
                "as the first one's" if not different else "they differ", not different, different),
        proof.judge_left_over(f"{site.name}: left of the old shape in them",
                              [f"{target}: {what}" for target, found in left.items() for what in found]),
        proof.judge_rows(f"{site.name}: form of phone_number in them", rows),
    ]


def judge_order(site: Site, bake_seconds: float) -> Verdict:
    """By the journals in the databases: nothing began in the second wave before the first had baked."""
    ready = moment(site.cluster.conninfo(), "SELECT max(finished) FROM curlew.step WHERE direction = 'do' "
                                            "AND step NOT LIKE 'drop-%'")
    begun = [moment(conninfo, "SELECT min(started) FROM curlew.step") for conninfo in conninfos(site).values()]
    if ready is None or None in begun:
        return Verdict(f"{site.name}: the canary first", "a journal is empty", False)
    waited = (min(begun) - ready).total_seconds()
    return Verdict(f"{site.name}: the canary first", f"the others began {waited:.1f} s after it was ready; its bake "
                   f"is {bake_seconds:.0f} s", waited >= bake_seconds)
