//! The document as what callers may rely on: which answers there are, and what is in them.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::caller::{Answer, Call};

/// The document in force.
pub(crate) static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract {
    document: serde_json::from_str(include_str!("../../openapi.json")).unwrap(),
});

pub(crate) struct Contract {
    pub(crate) document: Value,
}

impl Contract {
    /// Every operation: path, method, and what is said of it.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.document["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    /// Checks that an answer is one that the document promises for the call. Answers to calls that it does not mention are
    /// refusals.
    pub(crate) fn hold(&self, call: &Call, answer: &Answer) {
        let told = format!("{} {} -> {answer:?}", call.method, call.target);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{told}");
        let path = call.target.split('?').next().unwrap();
        let known = self.operations().find(|(template, method, _)| {
            fits(template, path) && method.eq_ignore_ascii_case(&call.method.replace("HEAD", "GET"))
        });
        let Some((_, _, operation)) = known else {
            assert!(matches!(answer.status, 401 | 403 | 404 | 405), "{told}");
            return self.assert_valid(
                &json!({ "$ref": "#/components/schemas/Error" }),
                &answer.json(),
                &told,
            );
        };
        let id = operation["operationId"].as_str().unwrap();
        let response = &operation["responses"][answer.status.to_string()];
        assert!(response.is_object(), "{id} never answers so, the document says: {told}");
        let response = self.resolved(response);
        for (name, _) in response["headers"].as_object().into_iter().flatten() {
            assert!(answer.header(&name.to_lowercase()).is_some(), "{name} is missing: {told}");
        }
        if call.method == "HEAD" {
            assert_eq!(answer.body, "", "{told}");
            return;
        }
        let body = answer.json();
        if answer.status >= 400 {
            assert_eq!(body["error"]["status"], json!(answer.status), "{told}");
            let reasons = response["description"].as_str().unwrap();
            assert!(reasons.contains(&format!("`{}`", answer.reason())), "{reasons}: {told}");
        }
        self.assert_valid(&response["content"]["application/json"]["schema"], &body, &told);
    }

    /// Something of the document, or what it refers to.
    pub(crate) fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                self.document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference}"))
            }
            None => value,
        }
    }

    /// A validator of a schema of the document.
    pub(crate) fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.document["components"],
        });
        jsonschema::validator_for(&whole).unwrap_or_else(|error| panic!("{schema}: {error}"))
    }

    fn assert_valid(&self, schema: &Value, body: &Value, told: &str) {
        if let Err(error) = self.validator(schema).validate(body) {
            panic!("{error} at {}: {told}", error.instance_path());
        }
    }
}

/// Whether a path is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(expected, given)| expected.starts_with('{') || *expected == given)
}
