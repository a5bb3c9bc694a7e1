//! The files of the pages, which are part of the binary.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::answer::{Answer, content};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The names below the site's path, what they are, and what is in them.
const FILES: &[(&str, &str, &str)] = &[
    ("chat", HTML, include_str!("../assets/chat.html")),
    ("dashboard", HTML, include_str!("../assets/dashboard.html")),
    ("style.css", CSS, include_str!("../assets/style.css")),
    ("icon.svg", SVG, include_str!("../assets/icon.svg")),
    ("site.js", JS, include_str!("../assets/site.js")),
    ("colours.js", JS, include_str!("../assets/colours.js")),
    ("chat.js", JS, include_str!("../assets/chat.js")),
    ("pane.js", JS, include_str!("../assets/pane.js")),
    ("talk.js", JS, include_str!("../assets/talk.js")),
    ("dashboard.js", JS, include_str!("../assets/dashboard.js")),
    ("ring.js", JS, include_str!("../assets/ring.js")),
    ("chart.js", JS, include_str!("../assets/chart.js")),
    ("news.js", JS, include_str!("../assets/news.js")),
    ("lookup.js", JS, include_str!("../assets/lookup.js")),
    ("trial.js", JS, include_str!("../assets/trial.js")),
    // The library for browsers, as `clients/js` builds it.
    ("ringway.js", JS, include_str!("../../../examples/page/ringway.min.js")),
];

/// The tags of the files, in their order: another content has another tag.
static TAGS: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| {
    let tag = |(_, _, text): &(&str, &str, &str)| {
        HeaderValue::from_str(&format!("\"{:016x}\"", ringway_ring::hash_of(text.as_bytes())))
    };
    FILES.iter().map(|file| tag(file).unwrap_or(HeaderValue::from_static("\"\""))).collect()
});

/// The file of this name.
pub(crate) fn find(name: &str, headers: &HeaderMap) -> Option<Answer> {
    let position = FILES.iter().position(|(known, _, _)| *known == name)?;
    let ((_, kind, text), tag) = (FILES[position], &TAGS[position]);
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known == tag);
    let mut answer = content(kind, if is_known { Bytes::new() } else { Bytes::from_static(text.as_bytes()) });
    if is_known {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    answer.headers_mut().insert(ETAG, tag.clone());
    // Asked for again each time, so that pages and scripts are always of one version.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let first = find("chat", &HeaderMap::new()).expect("the chat");
        assert_eq!(first.headers()["content-type"], HTML);
        assert!(
            first.headers()["content-security-policy"]
                .to_str()
                .expect("text")
                .starts_with("default-src 'none'")
        );
        let known = HeaderMap::from_iter([(IF_NONE_MATCH, first.headers()["etag"].clone())]);
        let again = find("chat", &known).expect("the chat");
        assert_eq!((again.status(), again.body().len()), (StatusCode::NOT_MODIFIED, 0));
        assert!(find("style.css", &known).is_some_and(|other| other.status() == StatusCode::OK));
        assert!(find("../chat", &HeaderMap::new()).is_none());
    }

    /// The policy forbids them, and a page that needs them would be broken.
    #[test]
    fn no_page_has_scripts_or_styles_in_it_or_asks_others() {
        let everywhere = ["https://", "javascript:", "@import", "innerHTML"];
        let in_markup = ["style=\"", " onclick", "<style"];
        for (name, kind, text) in FILES.iter().filter(|(name, _, _)| *name != "ringway.js") {
            let markup = if *kind == HTML { &in_markup[..] } else { &[] };
            for foreign in everywhere.iter().chain(markup) {
                assert!(!text.contains(foreign), "{name} has {foreign}");
            }
            let scripts = text.split("<script").skip(1).filter_map(|script| script.split('>').next());
            for script in scripts {
                assert!(script.contains(" src=\""), "{name} has a script in it");
            }
        }
    }

    #[test]
    fn whatever_a_file_asks_for_is_there() {
        let names: Vec<_> = FILES.iter().map(|(name, _, _)| *name).collect();
        for (name, _, text) in FILES {
            let imports = text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next());
            let sources = text.split(" src=\"").skip(1).filter_map(|rest| rest.split('"').next());
            for asked in imports.chain(sources) {
                assert!(names.contains(&asked), "{name} asks for {asked}");
            }
        }
    }
}
