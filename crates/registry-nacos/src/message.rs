//! Nacos's messages, version 2, as far as membership needs them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::NacosConfig;

/// An instance of a service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instance {
    pub(crate) ip: String,
    pub(crate) port: u16,
    /// Whether the operator lets it be called.
    #[serde(default = "enabled")]
    pub(crate) enabled: bool,
    #[serde(default)]
    pub(crate) cluster_name: Option<String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What every answer says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Answer {
    pub(crate) result_code: i32,
    pub(crate) error_code: i32,
    pub(crate) message: Option<String>,
}

/// The answer to a query: a service that Nacos does not know has no instances.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServiceAnswer {
    service_info: Option<ServiceInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceInfo {
    hosts: Option<Vec<Instance>>,
}

/// A request: its type and its body.
pub(crate) struct Request {
    pub(crate) kind: &'static str,
    pub(crate) body: Value,
}

/// What an instance is asked to become.
#[derive(Clone, Copy)]
pub(crate) enum Registration {
    Register,
    Deregister,
}

impl Answer {
    pub(crate) const fn is_good(&self) -> bool {
        self.result_code == 200
    }

    /// Whether the server does not know the connection: not yet, or not any more.
    pub(crate) fn is_unknown_connection(&self) -> bool {
        [self.result_code, self.error_code].contains(&301)
    }

    /// Whether asking again would get the same answer: the request is wrong, or not allowed.
    pub(crate) fn is_final(&self) -> bool {
        [self.result_code, self.error_code].iter().any(|code| (400..=403).contains(code))
    }
}

impl ServiceAnswer {
    pub(crate) fn into_instances(self) -> Vec<Instance> {
        self.service_info.and_then(|info| info.hosts).unwrap_or_default()
    }
}

impl Request {
    /// The type of a request that asks nothing.
    pub(crate) const CHECK_HEALTH: &'static str = "HealthCheckRequest";

    pub(crate) fn check_server() -> Self {
        Self { kind: "ServerCheckRequest", body: internal() }
    }

    pub(crate) fn check_health() -> Self {
        Self { kind: Self::CHECK_HEALTH, body: internal() }
    }

    /// The first message of the stream in which the server asks.
    pub(crate) fn set_up(namespace: &str) -> Self {
        let labels = json!({ "source": "sdk", "module": "naming", "AppName": "ringway" });
        let mut body = internal();
        body["clientVersion"] = json!(concat!("ringway:", env!("CARGO_PKG_VERSION")));
        body["tenant"] = json!(namespace);
        body["labels"] = labels;
        body["abilities"] = json!({});
        Self { kind: "ConnectionSetupRequest", body }
    }

    pub(crate) fn register(config: &NacosConfig, registration: Registration, instance: &Instance) -> Self {
        let kind = match registration {
            Registration::Register => "registerInstance",
            Registration::Deregister => "deregisterInstance",
        };
        let mut body = of_service(config);
        body["type"] = json!(kind);
        body["instance"] = json!({
            "ip": instance.ip,
            "port": instance.port,
            "weight": 1.0,
            "healthy": true,
            "enabled": true,
            "ephemeral": true,
            "clusterName": instance.cluster_name,
            "metadata": instance.metadata,
        });
        Self { kind: "InstanceRequest", body }
    }

    /// Asks to be told when the service's instances change.
    pub(crate) fn subscribe(config: &NacosConfig) -> Self {
        let mut body = of_service(config);
        body["subscribe"] = json!(true);
        body["clusters"] = json!("");
        Self { kind: "SubscribeServiceRequest", body }
    }

    pub(crate) fn query(config: &NacosConfig) -> Self {
        let mut body = of_service(config);
        body["cluster"] = json!("");
        body["healthyOnly"] = json!(false);
        body["udpPort"] = json!(0);
        Self { kind: "ServiceQueryRequest", body }
    }
}

/// The answer to a request of the server's own: that it was taken.
pub(crate) fn taken(request: &[u8]) -> Value {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Asked {
        request_id: Option<String>,
    }
    let Asked { request_id } = serde_json::from_slice(request).unwrap_or_default();
    json!({ "resultCode": 200, "errorCode": 0, "requestId": request_id })
}

fn internal() -> Value {
    json!({ "module": "internal", "headers": {}, "requestId": "1" })
}

fn of_service(config: &NacosConfig) -> Value {
    json!({
        "module": "naming",
        "headers": {},
        "requestId": "1",
        "namespace": config.namespace,
        "groupName": config.group,
        "serviceName": config.service,
    })
}

const fn enabled() -> bool {
    true
}
