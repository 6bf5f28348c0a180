//! JSON Schema, as much of it as the document of the API uses. A keyword that is not known here fails
//! the test, so that none goes unchecked.

use serde_json::Value;

/// What of this value is not as the schema says, each with where it is. References are to `document`.
pub(crate) fn errors(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    Check { document, errors: &mut errors }.value(schema, value, "");
    errors
}

struct Check<'a> {
    document: &'a Value,
    errors: &'a mut Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        if *schema == false {
            self.errors.push(format!("{at}: there is more than there may be"));
            return;
        }
        for (keyword, what) in schema.as_object().unwrap() {
            let good = match &**keyword {
                "description" | "default" => true,
                "$ref" => {
                    let pointer = what.as_str().unwrap().strip_prefix('#').unwrap();
                    self.value(self.document.pointer(pointer).unwrap(), value, at);
                    true
                }
                "oneOf" => {
                    let fits = |schema| errors(self.document, schema, value).is_empty();
                    what.as_array().unwrap().iter().filter(|schema| fits(schema)).count() == 1
                }
                "type" => match what {
                    Value::Array(any) => any.iter().any(|name| is(value, name)),
                    name => is(value, name),
                },
                "enum" => what.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|it| it >= what.as_f64().unwrap()),
                "minItems" => {
                    value.as_array().is_none_or(|it| it.len() as u64 >= what.as_u64().unwrap())
                }
                "format" => {
                    assert_eq!(what, "date-time");
                    value.as_str().is_none_or(|it| humantime::parse_rfc3339(it).is_ok())
                }
                "pattern" => {
                    assert_eq!(what, "^([0-9a-f]{64})?$");
                    let hex = |it: &str| it.bytes().all(|it| b"0123456789abcdef".contains(&it));
                    value.as_str().is_none_or(|it| hex(it) && [0, 64].contains(&it.len()))
                }
                "required" => {
                    for name in what.as_array().unwrap() {
                        if value.get(name.as_str().unwrap()).is_none() {
                            self.errors.push(format!("{at}: {name} is missing"));
                        }
                    }
                    true
                }
                "properties" => {
                    for (name, schema) in what.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            self.value(schema, value, &format!("{at}/{name}"));
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    let others = value.as_object().into_iter().flatten();
                    for (name, value) in
                        others.filter(|(name, _)| schema["properties"].get(name).is_none())
                    {
                        self.value(what, value, &format!("{at}/{name}"));
                    }
                    true
                }
                "prefixItems" => {
                    let values = value.as_array().into_iter().flatten();
                    for (index, (schema, value)) in
                        what.as_array().unwrap().iter().zip(values).enumerate()
                    {
                        self.value(schema, value, &format!("{at}/{index}"));
                    }
                    true
                }
                "items" => {
                    let before = schema["prefixItems"].as_array().map_or(0, Vec::len);
                    let values = value.as_array().into_iter().flatten().enumerate().skip(before);
                    for (index, value) in values {
                        self.value(what, value, &format!("{at}/{index}"));
                    }
                    true
                }
                other => panic!("{at}: the keyword {other} is not known here"),
            };
            if !good {
                self.errors.push(format!("{at}: {value} is not of {keyword} {what}"));
            }
        }
    }
}

fn is(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("the type {other} is none"),
    }
}

#[test]
fn what_is_wrong_is_found() {
    let document = serde_json::json!({"s": {"type": "string"}, "n": {"oneOf": [{"$ref": "#/s"}, {"type": "null"}]}});
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "a": {"$ref": "#/s"},
            "b": {"type": ["integer", "null"], "minimum": 0},
            "c": {"type": "array", "prefixItems": [{"type": "string"}], "items": false, "minItems": 1},
            "d": {"enum": ["x", "y"]},
            "e": {"format": "date-time"},
            "f": {"$ref": "#/n"},
            "g": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["a"],
        "additionalProperties": false,
    });
    let good = serde_json::json!({"a": "", "b": null, "c": ["x"], "d": "y", "e": "2026-01-02T03:04:05Z",
        "f": null, "g": [1, 1.5]});
    assert_eq!(errors(&document, &schema, &good), Vec::<String>::new());
    for (field, bad, at) in [
        ("a", serde_json::json!(1), "/a: "),
        ("b", serde_json::json!(-1), "/b: "),
        ("b", serde_json::json!(1.5), "/b: "),
        ("c", serde_json::json!(["x", "y"]), "/c/1: "),
        ("c", serde_json::json!([]), "/c: "),
        ("d", serde_json::json!("z"), "/d: "),
        ("e", serde_json::json!("yesterday"), "/e: "),
        ("f", serde_json::json!(1), "/f: "),
        ("g", serde_json::json!([1, "x"]), "/g/1: "),
        ("h", serde_json::json!(1), "/h: "),
    ] {
        let mut value = good.clone();
        value[field] = bad;
        let errors = errors(&document, &schema, &value);
        assert!(errors.len() == 1 && errors[0].starts_with(at), "{field}: {errors:?}");
    }
    assert_eq!(errors(&document, &schema, &serde_json::json!({})), [": \"a\" is missing"]);
}
