"""The report of a collection: its comparison tables and plots, every group, and what went wrong."""

from netwright.collect.comparison import comparison_plots, comparison_tables, full_table, paired_tables, pareto_plots
from netwright.collect.fast_p import fast_p_tables
from netwright.collect.records import CollectedRuns
from netwright.render import not_measured
from netwright.report.page import render_page, sections, table_of
from netwright.result import Block


def collection_page(collection: CollectedRuns) -> str:
    """The page of a collection, the same text for the same runs."""
    blocks: list[Block] = [
        *fast_p_tables(collection.fast_p),
        *comparison_tables(collection.groups, [*collection.metrics, *collection.further_metrics]),
        *comparison_plots(collection.groups, collection.metrics),
        *pareto_plots(collection.groups),
        *paired_tables(collection.groups, [*collection.metrics, *collection.further_metrics]),
    ]
    problems = [problem.model_dump() for problem in collection.problems]
    return render_page(
        "collection.html",
        collection=collection,
        failed=collection.failed,
        notices=not_measured(collection.missing_values()),
        sections=sections(blocks),
        problems=table_of(problems) if problems else None,
        groups=full_table(collection.groups, collection.varying) if collection.groups else None,
    )
