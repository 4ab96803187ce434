//! The OpenAPI document: put together from the handlers, never written by hand.

use actix_web::web::Bytes;
use utoipa::{OpenApi, openapi};

use crate::problem::ProblemBody;

/// The parts no handler has.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Groovebase",
        description = "The data layer for AI music generation: how artists play, who plays alike, and what every generation took.\n\nArtists go by name, in any spelling: case, width and white space do not matter, and any Unicode name works in a path once percent-encoded. Failures are problems as in RFC 9457. Every answer has an `x-request-id`; a request may bring its own.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ProblemBody)),
    tags(
        (name = "style-profiles", description = "What research found about how an artist plays"),
        (name = "artists", description = "Who is known, and where research stands"),
        (name = "sources", description = "What profiles rest on"),
        (name = "similar-artists", description = "Who plays alike"),
        (name = "generations", description = "What was made with whose style, and what it took"),
        (name = "statistics", description = "What all generations took, in figures and over time"),
        (name = "keys", description = "Who is let in"),
        (name = "audit", description = "Who wrote what"),
        (name = "operations", description = "Health, metrics and documentation"),
    ),
)]
struct Frame;

/// The document before the handlers are added.
pub(crate) fn frame() -> openapi::OpenApi {
    Frame::openapi()
}

/// The finished document, as it is served.
pub(crate) struct Document(Bytes);

impl Document {
    pub(crate) fn of(document: &openapi::OpenApi) -> Self {
        // It holds nothing that JSON cannot; without it everything else still works.
        Self(document.to_pretty_json().unwrap_or_default().into())
    }

    pub(crate) fn json(&self) -> Bytes {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    fn document() -> Value {
        serde_json::from_str(&crate::openapi_json()).unwrap()
    }

    fn operations(document: &Value) -> impl Iterator<Item = &Value> {
        let paths = document["paths"].as_object().unwrap();
        paths.values().flat_map(|item| item.as_object().unwrap().values())
    }

    #[test]
    fn every_operation_is_described() {
        let document = document();

        for operation in operations(&document) {
            let name = operation["operationId"].as_str().unwrap();
            assert!(name.contains('_'), "{name}");
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
            assert!(operation["summary"].is_string(), "{name}");
        }
        assert_eq!(operations(&document).count(), 29);
    }

    #[test]
    fn every_failure_is_a_problem_with_an_example() {
        let document = document();

        for operation in operations(&document) {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let own_body = !response["content"]["application/json"].is_null();
                if status.as_str() < "400" || own_body {
                    continue;
                }
                let content = &response["content"]["application/problem+json"];
                assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem");
                assert!(content["examples"].is_object(), "{operation}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut pending = vec![&document];

        while let Some(value) = pending.pop() {
            match value {
                Value::Array(elements) => pending.extend(elements),
                Value::Object(members) => pending.extend(members.values()),
                _ => {}
            }
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                assert!(
                    document.pointer(reference.trim_start_matches('#')).is_some(),
                    "{reference}"
                );
            }
        }
    }
}
