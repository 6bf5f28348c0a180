//! Host functions, and a guest's memory as they see it: read and written so that no lie can hurt the
//! host. Functions of a program's own should use this in place of the SDK's `memory_…` methods.
//!
//! Arguments travel as offsets into the memory of Extism's kernel, where every block has its length
//! in a header. A guest can write over these headers, and Extism's SDK believes them: a slice that
//! it makes from one may reach past the end of the memory, and to touch that end is a
//! segmentation fault of the whole host. So bytes are moved by the system
//! (`process_vm_readv(2)` on our own process): what is not mapped is an error, not a signal.
//!
//! Nothing but the guest's own memory can be reached: an offset is below 4 GiB and a length below
//! [`LARGEST`], while wasmtime reserves 4 GiB of addresses for a 32-bit memory and a guard of
//! 32 MiB behind it (`Config::memory_reservation`, `Config::memory_guard_size`).

use extism::convert::MemoryHandle;
use extism::{CurrentPlugin, Error, Function, UserData, Val, ValType};
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use std::io::{IoSlice, IoSliceMut};
use std::sync::LazyLock;

/// WebAssembly's unit of memory, in bytes.
const PAGE: usize = 64 << 10;

/// This process: the system is asked only once.
static SELF: LazyLock<Pid> = LazyLock::new(Pid::this);

/// The most bytes that are moved at once, in bytes: less than wasmtime's guard.
pub const LARGEST: u64 = 16 << 20;

/// A host function: so many 64-bit integers in, at most one out. Bytes travel as offsets, see
/// [`block`], [`text`] and [`put`].
///
/// It is in the namespace that every PDK uses, unless [`Function::with_namespace`] says another. What
/// it needs is in its closure: Extism's user data is behind one lock for all instances.
pub fn function<F>(name: &str, arguments: usize, results: usize, body: F) -> Function
where
    F: Fn(&mut CurrentPlugin, &[Val]) -> Result<Option<Val>, Error> + Send + Sync + 'static,
{
    let integers = |count| std::iter::repeat_n(ValType::I64, count);
    Function::new(
        name,
        integers(arguments),
        integers(results),
        UserData::new(()),
        move |plugin, arguments, results, _| {
            let result = body(plugin, arguments)?;
            if let Some((place, value)) = results.first_mut().zip(result) {
                *place = value;
            }
            Ok(())
        },
    )
}

/// A host function got an argument that cannot be.
fn invalid(what: impl std::fmt::Display) -> Error {
    Error::msg(format!("the plugin passed {what} to a host function"))
}

/// An argument that is an integer; the linker has checked its type.
pub fn integer(arguments: &[Val], index: usize) -> Result<i64, Error> {
    arguments.get(index).and_then(Val::i64).ok_or_else(|| invalid("too few arguments"))
}

/// The block at an offset; nothing at offset 0, which is what PDKs pass for empty data.
pub fn block(plugin: &mut CurrentPlugin, offset: i64) -> Result<Vec<u8>, Error> {
    if offset == 0 {
        return Ok(Vec::new());
    }
    let length = plugin.memory_length(offset.cast_unsigned())?;
    if length == 0 {
        return Err(invalid(format_args!("the offset {offset}, where nothing is allocated,")));
    }
    let mut bytes = Vec::new();
    read(plugin, offset, length, &mut bytes)?;
    Ok(bytes)
}

/// A block that must be text.
pub fn text(plugin: &mut CurrentPlugin, offset: i64) -> Result<String, Error> {
    String::from_utf8(block(plugin, offset)?).map_err(|_| invalid("text that is not UTF-8"))
}

/// Bytes from anywhere in the memory, in place of what `into` has.
pub fn read(
    plugin: &mut CurrentPlugin,
    offset: i64,
    length: u64,
    into: &mut Vec<u8>,
) -> Result<(), Error> {
    Known::default().read(plugin, offset, length, into)
}

/// How much of an instance's memory has been read before: what was there once stays, since the memory
/// of an instance only grows, and at the place where it is.
#[derive(Debug, Default)]
pub(crate) struct Known {
    base: usize,
    bytes: usize,
}

impl Known {
    /// As [`read`], and without the system's help where it was needed before. All of this is of one
    /// instance: it must be forgotten with that.
    pub(crate) fn read(
        &mut self,
        plugin: &mut CurrentPlugin,
        offset: i64,
        length: u64,
        into: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let from = address(plugin, offset, length)?;
        let (base, length) = (from - usize::try_from(offset)?, usize::try_from(length)?);
        let end = from - base + length;
        into.clear();
        // Nothing is looked at then, wherever that is: nothing becomes known.
        if length == 0 {
            return Ok(());
        }
        if base == self.base && end <= self.bytes {
            into.reserve(length);
            // SAFETY: `base..base + self.bytes` is memory of the instance that runs this call: it was read
            // before, and a WebAssembly memory neither shrinks nor moves within its reservation. Nobody
            // writes there meanwhile, since the instance's one thread is here. `into` has room, and is
            // not the guest's.
            #[allow(unsafe_code)]
            unsafe {
                std::ptr::copy_nonoverlapping(from as *const u8, into.as_mut_ptr(), length);
                into.set_len(length);
            }
            return Ok(());
        }
        into.resize(length, 0);
        let remote = RemoteIoVec { base: from, len: length };
        let moved = process_vm_readv(*SELF, &mut [IoSliceMut::new(into)], &[remote]);
        whole(moved, length, offset)?;
        // Memory comes in pages: with one byte of a page the rest is there.
        *self = Self { base, bytes: end.next_multiple_of(PAGE) };
        Ok(())
    }
}

/// Puts bytes into the guest's memory; returns the offset, 0 for none. The guest owns the block.
pub fn put(plugin: &mut CurrentPlugin, bytes: &[u8]) -> Result<Val, Error> {
    if bytes.is_empty() {
        return Ok(Val::I64(0));
    }
    let offset = plugin.memory_alloc(bytes.len() as u64)?.offset().cast_signed();
    let base = address(plugin, offset, bytes.len() as u64)?;
    let to = RemoteIoVec { base, len: bytes.len() };
    let moved = process_vm_writev(*SELF, &[IoSlice::new(bytes)], &[to]);
    whole(moved, bytes.len(), offset)?;
    Ok(Val::I64(offset))
}

/// Where an offset is in our own address space.
fn address(plugin: &mut CurrentPlugin, offset: i64, length: u64) -> Result<usize, Error> {
    let offset = u32::try_from(offset).map_err(|_| invalid(format_args!("the offset {offset}")))?;
    if length > LARGEST {
        return Err(invalid(format_args!("{length} bytes, more than {LARGEST},")));
    }
    Ok(plugin.memory_bytes(MemoryHandle::null())?.as_ptr() as usize + offset as usize)
}

fn whole(moved: Result<usize, Errno>, length: usize, offset: i64) -> Result<(), Error> {
    match moved {
        Ok(moved) if moved == length => Ok(()),
        Ok(_) | Err(Errno::EFAULT) => {
            Err(invalid(format_args!("{length} bytes at {offset}, past the end of its memory,")))
        }
        Err(error) => Err(Error::msg(format!(
            "the memory of the plugin cannot be read: process_vm_readv(2) says {error}; \
             a sandbox around the host must allow that call"
        ))),
    }
}
