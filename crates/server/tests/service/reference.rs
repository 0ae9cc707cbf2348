//! The reference page.

use base64::Engine as _;
use reqwest::Method;
use sha2::Digest as _;

use crate::kit::Kit;

#[tokio::test]
async fn the_page_has_every_operation_and_loads_and_runs_nothing_else() {
    let kit = Kit::saying([]).await;
    let response = kit.stranger().request(Method::GET, "/docs").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let page = response.text().await.unwrap();
    for operations in adjutant_server::openapi()["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().map(|id| format!("<article id=\"{id}\"")).unwrap();
            assert!(page.contains(&id), "{id}");
        }
    }
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    // What stands in the page is what a browser is told to run.
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let mut pieces = page.split(&open).skip(1);
        let piece = pieces.next().unwrap().split(&close).next().unwrap();
        assert_eq!(pieces.next(), None, "there is one {tag}");
        let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(piece.as_bytes()));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{policy}");
    }
    for loads in [" src=", "url(", "@import", "http:", "https:", " style=", " onclick="] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert_eq!(balance(&page), Vec::<String>::new());
}

/// The tags of a page that are not closed.
fn balance(page: &str) -> Vec<String> {
    let script = page.find("<script>").unwrap();
    let mut open = Vec::new();
    for piece in page[..script].split('<').skip(1) {
        let tag: String =
            piece.chars().take_while(|c| c.is_ascii_alphanumeric() || "/!".contains(*c)).collect();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed), "<{piece}"),
            None if ["!doctype", "meta", "input"].contains(&tag.as_str()) => {}
            None => open.push(tag),
        }
    }
    open.retain(|tag| !["html", "body"].contains(&tag.as_str()));
    open
}

/// What the document says of itself, for those who look at it before they ask.
#[test]
fn every_operation_says_what_it_does_and_belongs_somewhere() {
    for (path, operations) in adjutant_server::openapi()["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            let says = |key: &str| operation[key].as_str().is_some_and(|text| !text.is_empty());
            assert!(says("summary"), "{path}");
            assert!(operation["tags"][0].as_str().is_some_and(|tag| tag != "Service"), "{path}");
            assert!(
                operation["parameters"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|parameter| parameter["description"] != ""),
                "{path}"
            );
        }
    }
}
