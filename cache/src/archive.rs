//! Entries in one file, to take them to another machine.
//!
//! A tar archive with one file per entry: its packed form, under its key. What is imported is checked as
//! far as bytes can be: whether somebody made it up cannot be told, so only archives of people
//! one trusts to run code are to be imported.

use std::io::{self, Read, Write};

use tar::{Archive, Builder, EntryType, Header};

use crate::error::{CacheError, Damage};
use crate::inventory::Inventory;
use crate::packed::{self, Packed, UnpackError};
use crate::root::{Facts, Root};
use crate::temporary::{Durability, Temporary};
use crate::{Cache, Key, Tier};

/// What an import did.
#[derive(Debug, Default)]
pub struct Import {
    /// Entries that are new.
    pub added: Vec<Key>,
    /// Entries that were there already.
    pub present: Vec<Key>,
    /// Files of the archive that are no sound entries, and why.
    pub refused: Vec<(String, Damage)>,
}

impl Cache {
    /// Writes entries into an archive: those with these keys, or all. Damaged ones are left
    /// out. Gives the keys that were written; the same entries make the same bytes.
    ///
    /// # Errors
    ///
    /// When the cache cannot be read or the archive not written.
    pub fn export(
        &self,
        keys: Option<&[Key]>,
        archive: &mut impl Write,
    ) -> Result<Vec<Key>, CacheError> {
        let exporting = CacheError::system("write the archive");
        let mut builder = Builder::new(archive);
        let mut written = Vec::new();
        for (_, root) in self.open_all()? {
            let inventory = Inventory::of(&root).map_err(CacheError::system("list the cache"))?;
            for key in inventory.entries.keys() {
                let wanted = keys.is_none_or(|keys| keys.contains(key)) && !written.contains(key);
                if wanted && append(&mut builder, &root, key).map_err(&exporting)? {
                    written.push(*key);
                }
            }
        }
        builder.into_inner().and_then(|out| out.flush()).map_err(&exporting)?;
        Ok(written)
    }

    /// Adds the entries of an archive. Each is decompressed and compared with its digest and
    /// its key before it is added; what is not sound is refused and named.
    ///
    /// # Errors
    ///
    /// When the archive cannot be read, or the cache not written.
    pub fn import(&self, archive: &mut impl Read) -> Result<Import, CacheError> {
        self.open_to_change()?;
        let layer = self.layer(crate::Origin::User).ok_or(CacheError::Off)?;
        let root = layer.create()?;
        let reading = CacheError::system("read the archive");
        let mut import = Import::default();
        let mut archive = Archive::new(archive);
        for entry in archive.entries().map_err(&reading)? {
            let mut entry = entry.map_err(&reading)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let key = name.parse::<Key>().ok();
            let Some(key) = key.filter(|_| entry.header().entry_type() == EntryType::Regular)
            else {
                import.refused.push((name, Damage::Magic));
                continue;
            };
            if root.stat(&Tier::Packed.file(&key)).map_err(&reading)?.is_some() {
                import.present.push(key);
                continue;
            }
            match add(&root, &key, &mut entry) {
                Ok(()) => {
                    self.trust_again(Tier::Packed, &key);
                    import.added.push(key);
                }
                Err(UnpackError::Damage(damage)) => import.refused.push((name, damage)),
                Err(UnpackError::Write(source)) => {
                    return Err(CacheError::System { doing: "write the cache", source });
                }
            }
        }
        Ok(import)
    }
}

/// Adds an entry to an archive if it is sound.
fn append(builder: &mut Builder<impl Write>, root: &Root, key: &Key) -> io::Result<bool> {
    let name = Tier::Packed.file(key);
    let Ok(file) = root.read(&name) else { return Ok(false) };
    let sound = Packed::open_as(key, &file).map_err(UnpackError::Damage);
    if sound.and_then(|packed| packed.unpack(&mut io::sink())).is_err() {
        return Ok(false);
    }
    io::Seek::rewind(&mut &file)?;
    let mut header = Header::new_ustar();
    header.set_size(Facts::of(&file)?.len);
    header.set_mode(0o600);
    header.set_entry_type(EntryType::Regular);
    builder.append_data(&mut header, key.to_string(), file)?;
    Ok(true)
}

fn add(root: &Root, key: &Key, content: &mut impl Read) -> Result<(), UnpackError> {
    let mut temporary = Temporary::create(root).map_err(UnpackError::Write)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let unreadable = |error| UnpackError::Damage(packed::unreadable(error));
        let count = content.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        temporary.file().write_all(&buffer[..count]).map_err(UnpackError::Write)?;
    }
    let file = temporary.file();
    io::Seek::rewind(file).map_err(UnpackError::Write)?;
    let packed = Packed::open_as(key, &*file).map_err(UnpackError::Damage)?;
    packed.unpack(&mut io::sink())?;
    let name = Tier::Packed.file(key);
    temporary.publish(&name, Durability::Synced).map_err(UnpackError::Write)?;
    Ok(())
}
