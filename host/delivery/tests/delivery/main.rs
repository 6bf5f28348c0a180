//! Events to real servers over real sockets.

mod config;
mod duplicates;
mod files;
mod fluentd;
mod forms;
mod kit;
mod order;
mod outage;
mod refused;
mod restart;
mod speed;
mod syslog;
mod tls;
mod window;
