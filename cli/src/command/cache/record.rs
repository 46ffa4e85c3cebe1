//! How an entry is shown.

use precast::cache::{Copy, Difference, KeyParts, Origin, Record};
use serde_json::{Map, Value, json};

use crate::output::{hex, time};

/// The digits of a key that are enough for people.
const SHORT: usize = 12;

/// Everything that is known about an entry.
pub(super) fn json(record: &Record) -> Value {
    let copy = |copy: Option<Copy>| {
        copy.map(|Copy { len, disk }| json!({ "bytes": len, "disk_bytes": disk }))
    };
    let details = record.details.as_ref();
    json!({
        "key": record.key.to_string(),
        "source": details.map(|details| &details.source),
        "target": record.target(),
        "tier": tier(record),
        "layer": if record.origin == Origin::System { "system" } else { "user" },
        "disk_bytes": record.disk(),
        "hot": copy(record.hot),
        "packed": copy(record.packed),
        "last_use": time(record.last_use),
        "created": details.map(|details| time(details.created)),
        "compile_ms": details.map(|details| details.compile_time.as_millis() as u64),
        "artifact_bytes": details.map(|details| details.artifact_len),
        "artifact_sha256": details.map(|details| hex(&details.artifact_sha256)),
        "parts": details.map(|details| parts(&details.parts)),
    })
}

/// The parts of a key by name.
pub(super) fn parts(parts: &KeyParts) -> Value {
    let part = |part: &precast::cache::Part| (part.name.clone(), part.value.clone().into());
    Value::Object(parts.parts().iter().map(part).collect::<Map<_, _>>())
}

/// What is different between the key that was wanted and that of an entry.
pub(super) fn difference(difference: &Difference) -> Value {
    let Difference { name, left, right } = difference;
    json!({ "name": name, "wanted": left, "entry": right })
}

/// The form in which an entry is used next.
pub(super) fn tier(record: &Record) -> &'static str {
    if record.hot.is_some() { "hot" } else { "packed" }
}

/// The begin of an entry's key.
pub(super) fn short_key(record: &Record) -> String {
    record.key.to_string()[..SHORT].to_owned()
}
