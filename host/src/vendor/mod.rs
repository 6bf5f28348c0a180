//! What the host writes into the folders of event plugins.

mod assemblyscript;

pub use assemblyscript::assemblyscript_classes;
