//! Properties of the OpenAPI document. That answers are as it says is checked wherever tests get answers.

use std::collections::{BTreeMap, BTreeSet};

use api::problem::Code;
use groovebase_tests::document::{
    Operation, content, document, members, operations, resolved, violations,
};
use serde_json::Value;

/// The interface as it was agreed on.
const ROUTES: [(&str, &[&str]); 22] = [
    ("/api/v1/artists", &["get", "post"]),
    ("/api/v1/artists/{artist}", &["get", "delete"]),
    ("/api/v1/artists/{artist}/profile", &["get", "put", "delete"]),
    ("/api/v1/artists/{artist}/sources", &["get", "post"]),
    ("/api/v1/artists/{artist}/history", &["get"]),
    ("/api/v1/similar", &["post"]),
    ("/api/v1/similar/batch", &["post"]),
    ("/api/v1/similar/{artist}", &["get"]),
    ("/api/v1/generations", &["post"]),
    ("/api/v1/generations/{id}", &["get"]),
    ("/api/v1/stats", &["get"]),
    ("/api/v1/stats/series", &["get"]),
    ("/api/v1/audit", &["get"]),
    ("/api/v1/keys", &["get", "post"]),
    ("/api/v1/keys/{id}", &["get", "delete"]),
    ("/api/v1/keys/{id}/rotate", &["post"]),
    ("/health", &["get"]),
    ("/health/live", &["get"]),
    ("/health/ready", &["get"]),
    ("/metrics", &["get"]),
    ("/openapi.json", &["get"]),
    ("/docs", &["get"]),
];

fn name(operation: &Operation) -> String {
    format!("{} {}", operation.method, operation.path)
}

/// What stands as an example of a body: beside it, or beside its schema, or beside what that refers to.
fn examples(body: &'static Value) -> Vec<&'static Value> {
    let own = body.get("example").into_iter();
    let named = members(body.get("examples")).filter_map(|(_, example)| example.get("value"));
    let mut found: Vec<&Value> = own.chain(named).collect();
    if let Some(schema) = body.get("schema") {
        found.extend(schema_examples(resolved(schema)));
    }
    found
}

fn schema_examples(schema: &'static Value) -> Vec<&'static Value> {
    let own = schema.get("example").into_iter();
    let choices =
        ["oneOf", "allOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array());
    own.chain(choices.flatten().flat_map(|choice| schema_examples(resolved(choice)))).collect()
}

#[test]
fn every_route_is_in_it_and_no_other() {
    let agreed: BTreeSet<String> = ROUTES
        .into_iter()
        .flat_map(|(path, methods)| methods.iter().map(move |method| format!("{method} {path}")))
        .collect();

    let documented: BTreeSet<String> = operations().map(|operation| name(&operation)).collect();

    assert_eq!(documented, agreed);
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let mut names = BTreeMap::new();
    for operation in operations() {
        let id = operation.about["operationId"].as_str().unwrap_or_default();
        assert!(id.contains('_') && !id.is_empty(), "{}", name(&operation));
        let taken = names.insert(id, name(&operation));
        assert_eq!(taken, None, "{id}");
        assert!(
            operation.about["summary"].is_string() && operation.about["tags"].is_array(),
            "{id}"
        );
    }
}

#[test]
fn every_parameter_of_a_path_is_described() {
    for operation in operations() {
        let described: BTreeSet<&str> = operation.about["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path" && parameter["required"] == true)
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let in_path: BTreeSet<&str> = operation
            .path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(described, in_path, "{}", name(&operation));
    }
}

#[test]
fn every_body_has_an_example_that_is_valid() {
    let mut wrong = Vec::new();
    for operation in operations() {
        let request = operation.about.get("requestBody").into_iter();
        let bodies = request.chain(operation.responses().map(|(_, response)| response));
        for (media_type, body) in bodies.flat_map(content) {
            // What is not JSON, or describes itself, is seen best by asking.
            if !media_type.ends_with("json")
                || operation.path == "/openapi.json" && media_type == "application/json"
            {
                continue;
            }
            let place = format!("{} {media_type}", name(&operation));
            let examples = examples(body);
            if examples.is_empty() {
                wrong.push(format!("{place}: no example"));
            }
            for example in examples {
                let violations = violations(&body["schema"], example);
                wrong.extend(
                    violations.into_iter().map(|violation| format!("{place}: {violation}")),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_operation_documents_how_it_fails() {
    for operation in operations() {
        let problems = operation.responses().flat_map(|(_, response)| content(response));
        let problems = problems.filter(|(media_type, _)| *media_type == "application/problem+json");
        assert!(0 < problems.count(), "{}", name(&operation));
        for (status, response) in operation.responses() {
            let failed = status.starts_with('4');
            let is_problem =
                content(response).any(|(media_type, _)| media_type == "application/problem+json");
            assert!(!failed || is_problem, "{} {status}", name(&operation));
        }
    }
}

#[test]
fn the_status_of_a_documented_problem_is_the_one_of_its_code() {
    let statuses: BTreeMap<&str, u16> =
        Code::ALL.into_iter().map(|code| (code.as_str(), code.status().as_u16())).collect();
    let mut documented = BTreeSet::new();
    for operation in operations() {
        for (status, response) in operation.responses() {
            for example in content(response).flat_map(|(_, body)| examples(body)) {
                let Some(code) = example["error"].as_str() else { continue };
                assert_eq!(statuses[code].to_string(), status, "{} {code}", name(&operation));
                assert_eq!(example["status"], statuses[code], "{} {code}", name(&operation));
                documented.insert(code);
            }
        }
    }
    // The others come about before there is an operation to document them at.
    let everywhere = ["invalid_request", "method_not_allowed", "route_closed", "route_not_found"];
    let rest: Vec<&str> = statuses.into_keys().filter(|code| !documented.contains(code)).collect();
    assert!(rest.iter().all(|code| everywhere.contains(code)), "{rest:?}");
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                for member in members.values() {
                    references(member, found);
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    references(element, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    references(document(), &mut found);

    assert!(20 < found.len(), "{found:?}");
    for reference in found {
        let target = document().pointer(reference.trim_start_matches('#'));
        assert!(target.is_some(), "{reference}");
    }
    assert_eq!(document()["openapi"].as_str().map(|it| it.split_at(3).0), Some("3.1"));
}
