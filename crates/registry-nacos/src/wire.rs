//! Nacos's envelope, `nacos_grpc_service.proto`: a type, headers, and JSON.

use std::collections::HashMap;

use prost::Message;
use serde_json::Value;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payload {
    #[prost(message, optional, tag = "2")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "3")]
    body: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(string, tag = "3")]
    kind: String,
    #[prost(map = "string, string", tag = "7")]
    headers: HashMap<String, String>,
}

/// `google.protobuf.Any`. Nacos uses its value only.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl Payload {
    /// A message of this type, with the token that lets it in.
    pub(crate) fn new(kind: &str, body: &Value, token: Option<&str>) -> Self {
        let headers = token.map(|token| ("accessToken".to_owned(), token.to_owned())).into_iter().collect();
        let metadata = Metadata { kind: kind.to_owned(), headers };
        Self { metadata: Some(metadata), body: Some(Any { value: body.to_string().into_bytes() }) }
    }

    pub(crate) fn kind(&self) -> &str {
        self.metadata.as_ref().map_or("", |metadata| &metadata.kind)
    }

    /// The JSON in it.
    pub(crate) fn body(&self) -> &[u8] {
        self.body.as_ref().map_or(&[], |body| &body.value)
    }
}
