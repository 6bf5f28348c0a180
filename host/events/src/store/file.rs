//! The store's file: a redb database with one row for each value, token and lock.

use super::clock::Stamp;
use super::journal::{Batch, Kind, Row};
use super::{Name, OpenError};
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageError, Table,
    TableDefinition, TableError, TableHandle, WriteTransaction,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What this host writes. A host reads its own format only; a change of it brings the conversion.
const FORMAT: u64 = 1;
/// `format`, and the two halves of the last [`Stamp`].
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// By id: kind, expiry, space, key, value. Ids grow, so what is new goes to the end of the tree.
const ROWS: TableDefinition<u64, Columns> = TableDefinition::new("rows");
type Columns = (u8, u64, &'static str, &'static [u8], &'static [u8]);

/// What may be cached of the file: it is read once and written behind.
const CACHE: usize = 8 << 20;

pub(crate) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// The file, as far as it can be used at the moment.
pub(crate) struct File {
    path: PathBuf,
    opener: Opener,
    /// `None` after an error: redb wants the file to be opened again then.
    database: Option<Database>,
}

/// What was in a file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Contents {
    pub(crate) stamp: Option<Stamp>,
    pub(crate) rows: Vec<(u64, Row)>,
}

/// Why the contents of a file cannot be had.
#[derive(Debug)]
enum Problem {
    /// They are lost.
    Damaged(String),
    /// They are there, and not for this host or not now.
    Refused(OpenError),
}

/// How a database at this path is opened.
pub(crate) fn opener(path: &Path) -> Opener {
    let path = path.to_owned();
    Box::new(move || {
        // The check reads the file whole, as the store does anyway. Without it redb trusts the pages
        // of a file that was closed well, and may panic.
        Database::builder().set_cache_size(CACHE).set_check_integrity_on_open(true).create(&path)
    })
}

impl File {
    /// Opens a file, or makes a new one. A damaged one is set aside.
    pub(crate) fn open(path: &Path, opener: Opener) -> Result<(Self, Contents), OpenError> {
        let (database, contents) = match read(path, &opener) {
            Ok(opened) => opened,
            Err(Problem::Refused(error)) => return Err(error),
            Err(Problem::Damaged(reason)) => {
                let aside = set_aside(path)?;
                tracing::error!(
                    "the store {} is damaged ({reason}); it is now {}, and the store starts empty: \
                     the counts and locks of before are not in force",
                    path.display(),
                    aside.display()
                );
                read(path, &opener).map_err(|problem| match problem {
                    Problem::Refused(error) => error,
                    Problem::Damaged(reason) => OpenError::failed(path, &reason),
                })?
            }
        };
        Ok((Self { path: path.to_owned(), opener, database: Some(database) }, contents))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a group of changes; they are on the disk when this returns.
    pub(crate) fn commit(&mut self, batch: &Batch, stamp: Stamp) -> Result<(), String> {
        self.write(stamp, |rows| {
            for id in &batch.deletes {
                rows.remove(id)?;
            }
            batch.puts.iter().try_for_each(|(id, row)| insert(rows, *id, row))
        })
    }

    /// Writes the file anew, with these rows only: after an error nobody knows what it has.
    pub(crate) fn rewrite(
        &mut self,
        mut all: impl Iterator<Item = (u64, Row)>,
        stamp: Stamp,
    ) -> Result<(), String> {
        self.write(stamp, |rows| {
            rows.retain(|_, _| false)?;
            all.try_for_each(|(id, row)| insert(rows, id, &row))
        })
    }

    fn write(
        &mut self,
        stamp: Stamp,
        change: impl FnOnce(&mut Table<'_, u64, Columns>) -> Result<(), StorageError>,
    ) -> Result<(), String> {
        let write = || -> Result<Database, redb::Error> {
            let database = self.database.take().map_or_else(&self.opener, Ok)?;
            let transaction = database.begin_write()?;
            mark(&transaction, stamp)?;
            change(&mut transaction.open_table(ROWS)?)?;
            transaction.commit()?;
            Ok(database)
        };
        self.database = Some(calm(write)?.map_err(|error| error.to_string())?);
        Ok(())
    }
}

fn insert(rows: &mut Table<'_, u64, Columns>, id: u64, row: &Row) -> Result<(), StorageError> {
    let kind = match row.kind {
        Kind::Value => 0,
        Kind::Token => 1,
        Kind::Lock => 2,
    };
    rows.insert(id, (kind, row.expires, row.name.space(), row.name.key(), &*row.value))?;
    Ok(())
}

fn mark(transaction: &WriteTransaction, stamp: Stamp) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    for (key, value) in [("format", FORMAT), ("store time", stamp.store), ("wall time", stamp.wall)]
    {
        meta.insert(key, value)?;
    }
    Ok(())
}

fn read(path: &Path, opener: &Opener) -> Result<(Database, Contents), Problem> {
    let reading = || {
        let database = opener().map_err(|error| Problem::opening(path, error))?;
        let transaction = database.begin_read().map_err(Problem::reading)?;
        let contents = contents(path, &transaction)?;
        Ok((database, contents))
    };
    calm(reading).map_err(Problem::Damaged).flatten()
}

fn contents(path: &Path, transaction: &ReadTransaction) -> Result<Contents, Problem> {
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => {
            let other = transaction.list_tables().map_err(Problem::reading)?.next();
            return match other {
                None => Ok(Contents::default()),
                Some(table) => Err(Problem::Damaged(format!(
                    "it has a table {:?}, and none that a store has",
                    table.name()
                ))),
            };
        }
        Err(error) => return Err(Problem::reading(error)),
    };
    let value = |key| {
        let value = meta.get(key).map_err(Problem::reading)?.map(|value| value.value());
        value.ok_or_else(|| Problem::Damaged(format!("its {key} is missing")))
    };
    let format = value("format")?;
    if format != FORMAT {
        return Err(Problem::Refused(OpenError::Format { path: path.to_owned(), format }));
    }
    let stamp = Some(Stamp { store: value("store time")?, wall: value("wall time")? });
    let table = transaction.open_table(ROWS).map_err(Problem::reading)?;
    let mut rows = Vec::new();
    for entry in table.iter().map_err(Problem::reading)? {
        let (id, columns) = entry.map_err(Problem::reading)?;
        let (kind, expires, space, key, value) = columns.value();
        let kind = match kind {
            0 => Kind::Value,
            1 => Kind::Token,
            2 => Kind::Lock,
            other => return Err(Problem::Damaged(format!("it has a row of kind {other}"))),
        };
        let name = Name::unchecked(space, key);
        rows.push((id.value(), Row { kind, name, expires, value: value.into() }));
    }
    Ok(Contents { stamp, rows })
}

/// redb panics on some damages; and a panic must not end the thread that others wait for.
fn calm<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("the database panicked: {}", text.unwrap_or("no reason given"))
    })
}

impl Problem {
    fn opening(path: &Path, error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Self::Refused(OpenError::InUse(path.to_owned()))
            }
            DatabaseError::Storage(error) if is_damage(&error) => Self::Damaged(error.to_string()),
            other => Self::Refused(OpenError::failed(path, &other)),
        }
    }

    /// What was opened is there: if it cannot be read, it is damaged.
    fn reading(error: impl std::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }
}

fn is_damage(error: &StorageError) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        StorageError::Corrupted(_) => true,
        StorageError::Io(error) => matches!(error.kind(), InvalidData | UnexpectedEof),
        _ => false,
    }
}

/// Renames a damaged file, so that somebody may look at it.
fn set_aside(path: &Path) -> Result<PathBuf, OpenError> {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ");
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{time}"));
    let aside = PathBuf::from(name);
    std::fs::rename(path, &aside).map_err(|error| OpenError::failed(path, &error))?;
    Ok(aside)
}
