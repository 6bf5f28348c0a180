//! The calls: where they are, and what a role needs for them.

/// A call: its name in metrics and messages, where it is, and what is missing if it is denied.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) remedy: &'static str,
}

const EVENTS: &str =
    "a role of this identity needs the rule `resources: [event], verbs: [list, read]`";
pub(super) const PING: Call =
    Call { name: "Ping", path: "/proto.AuthService/Ping", remedy: "see its log" };
pub(super) const CHUNKS: Call = Call {
    name: "GetEventExportChunks",
    path: "/teleport.auditlog.v1.AuditLogService/GetEventExportChunks",
    remedy: EVENTS,
};
pub(super) const EXPORT: Call = Call {
    name: "ExportUnstructuredEvents",
    path: "/teleport.auditlog.v1.AuditLogService/ExportUnstructuredEvents",
    remedy: EVENTS,
};
pub(super) const SEARCH: Call = Call {
    name: "GetUnstructuredEvents",
    path: "/teleport.auditlog.v1.AuditLogService/GetUnstructuredEvents",
    remedy: EVENTS,
};
pub(super) const SESSION: Call = Call {
    name: "StreamUnstructuredSessionEvents",
    path: "/teleport.auditlog.v1.AuditLogService/StreamUnstructuredSessionEvents",
    remedy: "a role of this identity needs the rule `resources: [session], verbs: [list, read]`",
};
pub(super) const LOCK: Call = Call {
    name: "UpsertLock",
    path: "/proto.AuthService/UpsertLock",
    remedy: "a role of this identity needs the rule `resources: [lock], verbs: [create, update]`",
};
