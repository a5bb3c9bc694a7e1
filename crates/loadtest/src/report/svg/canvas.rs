//! What is drawn on: elements behind each other, their numbers short, their text escaped.

use std::fmt::{self, Display, Write as _};

/// An SVG document in the making.
#[derive(Debug)]
pub(crate) struct Canvas {
    width: f64,
    height: f64,
    elements: String,
}

/// A coordinate with one decimal, which is a tenth of a pixel, without zeros at its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Px(pub(crate) f64);

impl Canvas {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, elements: String::new() }
    }

    /// A line of one class.
    pub(crate) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.path(class, format_args!("M{} {}L{} {}", Px(x1), Px(y1), Px(x2), Px(y2)));
    }

    /// A path, given in SVG's words.
    pub(crate) fn path(&mut self, class: &str, data: impl Display) {
        self.element(format_args!("<path class=\"{class}\" d=\"{data}\"/>"));
    }

    /// Text with its baseline here.
    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), text: impl Display) {
        let text = escape(&text.to_string());
        self.element(format_args!("<text class=\"{class}\" x=\"{}\" y=\"{}\">{text}</text>", Px(x), Px(y)));
    }

    /// Anything else.
    pub(crate) fn element(&mut self, element: impl Display) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.elements, "{element}");
    }

    /// The document, as it stands within a page.
    pub(crate) fn inline(&self, title: &str) -> String {
        let Self { width, height, elements } = self;
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n{elements}</svg>",
            Px(*width),
            Px(*height),
            escape(title)
        )
    }

    /// The document as a file of its own, with its styles in it, on paper.
    pub(crate) fn document(&self, title: &str, styles: &str) -> String {
        let Self { width, height, elements } = self;
        let (width, height, title) = (Px(*width), Px(*height), escape(title));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\">\n<title>{title}</title>\n<style>\n{styles}</style>\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"10\" style=\"fill:var(--card)\"/>\n{elements}</svg>\n"
        )
    }
}

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() as i64;
        match tenths % 10 {
            0 => write!(f, "{}", tenths / 10),
            _ => write!(f, "{}", tenths as f64 / 10.0),
        }
    }
}

/// Text that may stand in an element or in an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        let shown = [0.0, 1.0, -1.04, 1.25, 0.04, 99.96].map(|it| Px(it).to_string());
        assert_eq!(shown, ["0", "1", "-1", "1.3", "0", "100"]);
    }

    #[test]
    fn elements_stand_in_a_document() {
        let mut canvas = Canvas::new(10.0, 5.5);
        canvas.text("a", (1.0, 2.0), "<&\">");
        let expected = "<svg viewBox=\"0 0 10 5.5\" role=\"img\" aria-label=\"T\">\n\
                        <text class=\"a\" x=\"1\" y=\"2\">&lt;&amp;&quot;&gt;</text>\n</svg>";
        assert_eq!(canvas.inline("T"), expected);
        assert!(canvas.document("T", ".a {}").contains("<title>T</title>\n<style>\n.a {}</style>"));
    }
}
