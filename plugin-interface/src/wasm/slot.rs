//! What a middleware keeps from the request to the response. The response may come to another
//! instance, so it travels, as JSON.

use crate::error::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use std::any::Any;

/// The data of one exchange: as it came, or as the hook that runs has it.
#[derive(Default)]
pub(super) enum Slot {
    #[default]
    Empty,
    Written(Box<RawValue>),
    Data(Box<dyn Data>),
}

pub(super) trait Data: Send + Sync {
    fn any(&mut self) -> &mut dyn Any;
    fn write(&self) -> serde_json::Result<Box<RawValue>>;
}

impl<T: Serialize + Send + Sync + 'static> Data for T {
    fn any(&mut self) -> &mut dyn Any {
        self
    }

    fn write(&self) -> serde_json::Result<Box<RawValue>> {
        to_raw_value(self)
    }
}

impl Slot {
    pub(super) fn of<T: Serialize + Send + Sync + 'static>(data: T) -> Self {
        Self::Data(Box::new(data))
    }

    pub(super) fn get<T>(&mut self) -> Option<&mut T>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        if let Self::Written(json) = self {
            *self = Self::of(serde_json::from_str::<T>(json.get()).ok()?);
        }
        match self {
            Self::Data(data) => (**data).any().downcast_mut(),
            Self::Empty | Self::Written(_) => None,
        }
    }

    /// What is to be kept; nothing where it has not been looked at.
    pub(super) fn write(&self) -> Result<Option<Box<RawValue>>> {
        match self {
            Self::Data(data) => Ok(Some((**data).write()?)),
            Self::Empty | Self::Written(_) => Ok(None),
        }
    }
}
