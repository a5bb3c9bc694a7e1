//! A report as one page: styles and plots are in it, and it asks for nothing from anywhere, so it can be kept, sent and opened years
//! later. It follows the reader's choice of light or dark, and each plot is drawn twice, for wide screens and for phones.

use super::plot::{Lines, Plot};
use super::svg::{self, NARROW, WIDE, escape};
use super::{Align, Cell, Column, Figure, Report, Table, shown};
use crate::threshold::Verdict;

/// Colours, and how drawings look.
pub(crate) const DRAWING: &str = include_str!("report.css");

const PAGE: &str = include_str!("page.css");

impl Report {
    /// The page.
    pub fn to_html(&self, verdicts: &[Verdict]) -> String {
        let title = escape(&self.title);
        let head = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{title}</title>\n<style>\n{DRAWING}{PAGE}</style>\n</head>\n"
        );
        let mut body = self.header_html(&title);
        body.push_str(&verdicts_html(verdicts));
        body.push_str(&figures_html(&self.figures));
        body.extend(self.plots.iter().map(plot_html));
        body.extend(self.tables.iter().map(table_html));
        body.push_str(&names_html(&self.figures));
        body.push_str(&notes_html(&self.notes));
        format!("{head}<body>\n<main>\n{body}</main>\n</body>\n</html>\n")
    }

    fn header_html(&self, title: &str) -> String {
        let fact = |(name, value): &(String, String)| {
            format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value))
        };
        let facts: String = self.facts.iter().map(fact).collect();
        format!(
            "<header><p class=\"test\">ringway load {}</p><h1>{title}</h1><dl class=\"facts\">{facts}</dl></header>\n",
            self.test
        )
    }
}

fn verdicts_html(verdicts: &[Verdict]) -> String {
    let item = |verdict: &Verdict| {
        let class = if verdict.is_met() { "met" } else { "missed" };
        format!("<li class=\"{class}\">{}</li>", escape(&verdict.to_string()))
    };
    let items: String = verdicts.iter().map(item).collect();
    if items.is_empty() {
        return items;
    }
    format!("<section><h2>Required</h2><ul class=\"verdicts\">{items}</ul></section>\n")
}

fn figures_html(figures: &[Figure]) -> String {
    let one = |figure: &Figure| {
        let (value, unit) = figure.value.map_or(("–".to_owned(), ""), |value| (shown(value), figure.unit));
        let (meaning, name) = (escape(&figure.meaning), escape(&figure.name));
        format!("<div><b>{value} <small>{unit}</small></b><span>{meaning}</span><code>{name}</code></div>\n")
    };
    let all: String = figures.iter().filter(|figure| !figure.is_in_table).map(one).collect();
    if all.is_empty() {
        return all;
    }
    format!("<section><h2>Figures</h2><div class=\"figures\">{all}</div></section>\n")
}

/// The names of figures that stand in tables, folded up.
fn names_html(figures: &[Figure]) -> String {
    let columns =
        [Column::text("name", "name"), Column::number("value", "value"), Column::text("meaning", "")];
    let mut names = Table::new("names", "Figures by their names, for --require", columns).detail();
    for figure in figures.iter().filter(|figure| figure.is_in_table) {
        names.push([&figure.name, &figure.told(), &figure.meaning].map(|text| Cell::from(text.as_str())));
    }
    if names.rows.is_empty() { String::new() } else { table_html(&names) }
}

fn plot_html(plot: &Plot) -> String {
    let (legend, wide, narrow) = match plot {
        Plot::Lines(lines) => (legend(lines), svg::lines(lines, WIDE), svg::lines(lines, NARROW)),
        Plot::Bars(bars) => (String::new(), svg::bars(bars, WIDE), svg::bars(bars, NARROW)),
        Plot::Picture(picture) => (String::new(), picture.wide.clone(), picture.narrow.clone()),
    };
    format!(
        "<section class=\"plot\"><h2>{}</h2>{legend}<div class=\"wide\">{wide}</div><div class=\"narrow\">{narrow}</div></section>\n",
        escape(plot.title())
    )
}

fn legend(lines: &Lines) -> String {
    let item = |(index, name): (usize, &str)| {
        format!("<li><i style=\"background:var(--s{})\"></i>{}</li>", index % svg::COLOURS, escape(name))
    };
    let items: String = lines.series.iter().map(|it| it.name.as_str()).enumerate().map(item).collect();
    format!("<ul class=\"legend\">{items}</ul>")
}

fn table_html(table: &Table) -> String {
    let aligned = |tag: &str, align: Align, text: &str| {
        let class = if align == Align::Right { " class=\"right\"" } else { "" };
        format!("<{tag}{class}>{}</{tag}>", escape(text))
    };
    let heads: String = table.columns.iter().map(|it| aligned("th", it.align, &it.heading)).collect();
    let row = |cells: &Vec<Cell>| {
        let cells = cells.iter().zip(&table.columns).map(|(cell, it)| aligned("td", it.align, &cell.shown));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = table.rows.iter().map(row).collect();
    let body = format!(
        "<div class=\"scroll\"><table><thead><tr>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>"
    );
    let title = escape(&table.title);
    if table.is_detail {
        return format!("<section><details><summary>{title}</summary>{body}</details></section>\n");
    }
    format!("<section><h2>{title}</h2>{body}</section>\n")
}

fn notes_html(notes: &[String]) -> String {
    let all: String = notes.iter().map(|note| format!("<p>{}</p>", escape(note))).collect();
    if all.is_empty() { all } else { format!("<section class=\"notes\">{all}</section>\n") }
}

#[cfg(test)]
mod tests {
    use crate::report::{Bars, Cell, Column, Figure, Lines, Report, Scale, Series, Table};

    fn page() -> String {
        let mut table = Table::new("t", "T", [Column::text("a", "A"), Column::number("b", "<B>")]).detail();
        table.push(["<script>".into(), Cell::number(0.5, 1)]);
        let lines = Lines {
            title: "Curve".into(),
            x_label: "quantile".into(),
            x_scale: Scale::Nines,
            y_label: "ms".into(),
            y_scale: Scale::Log,
            series: vec![Series::new("a&b", [(0.0, 1.0), (0.99, 20.0), (1.0, 30.0)])],
        };
        let report = Report::new("send", "A <test>")
            .figure(Figure::new("lost", 0.0, "", "did not arrive"))
            .figure(Figure::new("p99_ms", 1.5, "ms", "told in a table").in_table())
            .table(table)
            .plot(lines)
            .plot(Bars { title: "Bars".into(), unit: "/s", bars: vec![("one".into(), 1.0)] });
        report.to_html(&["lost>=1".parse::<crate::Requirement>().unwrap().judge(&report)])
    }

    #[test]
    fn a_page_asks_for_nothing_from_elsewhere() {
        let page = page();
        for from_elsewhere in ["<script", "<link", "<img", "@import", "url(", "src=", "href="] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
        }
        let addresses: Vec<_> = page.match_indices("http").map(|(at, _)| &page[at..at + 12]).collect();
        assert!(addresses.iter().all(|it| it.starts_with("http-equiv")), "{addresses:?}");
    }

    #[test]
    fn text_is_text() {
        let page = page();
        for text in
            ["A &lt;test&gt;", "&lt;script&gt;", "&lt;B&gt;", "a&amp;b", "missed: lost&gt;=1, but lost is 0"]
        {
            assert!(page.contains(text), "{text}");
        }
    }

    #[test]
    fn each_plot_is_there_for_wide_and_for_narrow_screens() {
        let page = page();
        assert_eq!(page.matches("<svg").count(), 4);
        assert_eq!(page.matches("</svg>").count(), 4);
        assert!(page.contains("<details>"), "details are folded up");
        assert!(!page.contains("NaN") && !page.contains("inf\""), "{page}");
    }
}
