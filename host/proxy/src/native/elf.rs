//! Whether a library is there as a whole.
//!
//! The dynamic linker maps what the headers announce, whether the file has it or not: a library that
//! was cut off, by a full disk perhaps, ends the process with SIGBUS when its missing part is touched.

use object::elf::{FileHeader32, FileHeader64};
use object::endian::Endianness;
use object::read::FileKind;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

/// Whether everything is in the file that its headers announce. What is no ELF file is the linker's to
/// refuse.
pub(super) fn whole(file: &[u8]) -> Result<(), String> {
    let end = match FileKind::parse(file) {
        Ok(FileKind::Elf64) => end::<FileHeader64<Endianness>>(file),
        Ok(FileKind::Elf32) => end::<FileHeader32<Endianness>>(file),
        _ => return Ok(()),
    };
    let (end, size) = (end.map_err(|error| error.to_string())?, file.len() as u64);
    if end > size {
        return Err(format!("it is cut off: of {end} bytes there are {size}"));
    }
    Ok(())
}

/// The byte behind the last one that the headers speak of.
fn end<Elf: FileHeader<Endian = Endianness>>(file: &[u8]) -> object::read::Result<u64> {
    let header = Elf::parse(file)?;
    let endian = header.endian()?;
    let mut end = 0;
    for segment in header.program_headers(endian, file)? {
        let (offset, size) = segment.file_range(endian);
        end = end.max(offset.saturating_add(size));
    }
    // Without an error if they are beyond the end, which they say themselves; they come last.
    let sections = header.e_shoff(endian).into();
    let count = u64::from(header.e_shnum(endian)) * u64::from(header.e_shentsize(endian));
    end = end.max(sections.saturating_add(count));
    for section in header.section_headers(endian, file).unwrap_or_default() {
        if let Some((offset, size)) = section.file_range(endian) {
            end = end.max(offset.saturating_add(size));
        }
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_cut_off_anywhere_is_not_whole() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(whole(&file), Ok(()));
        let padded = [&file[..], b"behind it"].concat();
        assert_eq!(whole(&padded), Ok(()));
        for share in 1..100 {
            let cut = &file[..file.len() / 100 * share];
            let error = whole(cut).unwrap_err();
            assert!(error.starts_with("it is cut off: of "), "{share} %: {error}");
        }
        for none in [&b""[..], b"not a library", b"\x7fELF"] {
            assert!(whole(none).is_ok());
        }
        assert!(whole(&file[..40]).is_err());
    }
}
