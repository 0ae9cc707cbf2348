//! What a file held before each change that was not synced.

use std::collections::BTreeMap;

use crate::survivors::Chooser;

/// The unit that a disk writes whole or not at all, in bytes.
pub(crate) const SECTOR: usize = 512;

type Bytes = [u8; SECTOR];

/// Reads what a file holds now, from an offset on; what is beyond its end is zero.
pub(crate) type Read<'a> = &'a mut dyn FnMut(u64, &mut [u8]);

/// The unsynced history of one file. Changes are counted, over all files of a disk.
#[derive(Debug)]
pub(crate) struct History {
    /// The sizes that the file had, each with the number of the change that made it; the first is what was synced.
    sizes: Vec<(u64, u64)>,
    sectors: BTreeMap<u64, Sector>,
    /// The change that made the file, while its entry in the folder is not synced.
    made: Option<u64>,
}

#[derive(Debug)]
struct Sector {
    /// What it held; the first is what was synced.
    contents: Vec<(u64, Bytes)>,
    /// A sync of it failed: it needs to be written again before one can succeed.
    doubtful: bool,
}

/// What is left of a file after the power failed.
#[derive(Debug, PartialEq)]
pub(crate) struct Remains {
    pub(crate) size: u64,
    /// Sectors that hold something else than before, by their number.
    pub(crate) sectors: Vec<(u64, Bytes)>,
}

impl History {
    /// The history of a file that has a size; `made` is the change that made it, if it is new.
    pub(crate) fn new(size: u64, made: Option<u64>) -> Self {
        Self { sizes: vec![(0, size)], sectors: BTreeMap::new(), made }
    }

    /// The size now.
    pub(crate) fn size(&self) -> u64 {
        self.sizes.last().map_or(0, |(_, size)| *size)
    }

    /// Whether its entry in the folder may be lost.
    pub(crate) fn is_new(&self) -> bool {
        self.made.is_some()
    }

    /// The number of the first change that could be lost.
    pub(crate) fn first_change(&self) -> Option<u64> {
        let sectors = self.sectors.values().filter_map(|sector| sector.contents.get(1));
        sectors
            .map(|(change, _)| *change)
            .chain(self.sizes.get(1).map(|(change, _)| *change))
            .chain(self.made)
            .min()
    }

    /// Takes a write, before it is done. Every sector is a change of its own.
    pub(crate) fn write(&mut self, changes: &mut u64, offset: u64, data: &[u8], read: Read<'_>) {
        let end = offset + data.len() as u64;
        for number in sectors(offset, end) {
            let start = number * SECTOR as u64;
            self.change(changes, number, read, |content| {
                for (byte, at) in content.iter_mut().zip(start..) {
                    let index = at.checked_sub(offset).and_then(|index| usize::try_from(index).ok());
                    if let Some(new) = index.and_then(|index| data.get(index)) {
                        *byte = *new;
                    }
                }
            });
        }
        if end > self.size() {
            self.sizes.push((*changes, end));
        }
    }

    /// Takes a truncation, before it is done.
    pub(crate) fn truncate(&mut self, changes: &mut u64, size: u64, read: Read<'_>) {
        for number in sectors(size, self.size()) {
            let start = number * SECTOR as u64;
            self.change(changes, number, read, |content| {
                content.iter_mut().zip(start..).filter(|(_, at)| *at >= size).for_each(|(byte, _)| *byte = 0);
            });
        }
        *changes += 1;
        self.sizes.push((*changes, size));
    }

    fn change(&mut self, changes: &mut u64, number: u64, read: Read<'_>, change: impl FnOnce(&mut Bytes)) {
        let sector = self.sectors.entry(number).or_insert_with(|| {
            let mut synced = [0; SECTOR];
            read(number * SECTOR as u64, &mut synced);
            Sector { contents: vec![(0, synced)], doubtful: false }
        });
        let mut content = sector.contents.last().map_or([0; SECTOR], |(_, content)| *content);
        change(&mut content);
        *changes += 1;
        sector.contents.push((*changes, content));
        sector.doubtful = false;
    }

    /// What was written is on the disk.
    pub(crate) fn sync(&mut self) {
        self.sectors.retain(|_, sector| sector.doubtful);
        self.sizes = vec![(0, self.size())];
        self.made = None;
    }

    /// What was written is not on the disk, and the system no longer knows that it should be.
    pub(crate) fn fail_sync(&mut self) {
        self.sectors.values_mut().for_each(|sector| sector.doubtful = true);
    }

    /// What is left of the file; none if it is gone.
    pub(crate) fn remains(&self, chooser: &mut Chooser) -> Option<Remains> {
        if self.made.is_some_and(|made| !chooser.survives(made)) {
            return None;
        }
        let size = chooser.choose(&self.sizes).copied().unwrap_or_default();
        let sectors = self
            .sectors
            .iter()
            .filter_map(|(number, sector)| Some((*number, *chooser.choose(&sector.contents)?)))
            .collect();
        Some(Remains { size, sectors })
    }
}

/// The sectors that a range of bytes touches.
fn sectors(from: u64, to: u64) -> std::ops::Range<u64> {
    if to <= from { 0..0 } else { from / SECTOR as u64..to.div_ceil(SECTOR as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survivors::Survivors;

    /// A file in memory with its history.
    struct File(Vec<u8>, History, u64);

    impl File {
        fn new(content: &[u8]) -> Self {
            Self(content.to_vec(), History::new(content.len() as u64, None), 0)
        }

        fn write(&mut self, offset: usize, data: &[u8]) {
            let Self(content, history, changes) = self;
            let now = content.clone();
            history.write(changes, offset as u64, data, &mut |at, bytes| {
                bytes.iter_mut().zip(now.iter().skip(at as usize)).for_each(|(to, from)| *to = *from);
            });
            content.resize(content.len().max(offset + data.len()), 0);
            content[offset..offset + data.len()].copy_from_slice(data);
        }

        fn truncate(&mut self, size: usize) {
            let Self(content, history, changes) = self;
            let now = content.clone();
            history.truncate(changes, size as u64, &mut |at, bytes| {
                bytes.iter_mut().zip(now.iter().skip(at as usize)).for_each(|(to, from)| *to = *from);
            });
            content.resize(size, 0);
        }

        fn after(&self, survivors: Survivors) -> Option<Vec<u8>> {
            let first = self.1.first_change().unwrap_or(self.2 + 1);
            let remains = self.1.remains(&mut Chooser::new(survivors, first, self.2))?;
            let mut content = self.0.clone();
            let end = remains.sectors.last().map_or(0, |(number, _)| (number + 1) * SECTOR as u64);
            content.resize((remains.size.max(end)) as usize, 0);
            for (number, bytes) in remains.sectors {
                let at = number as usize * SECTOR;
                content[at..at + SECTOR].copy_from_slice(&bytes);
            }
            content.truncate(remains.size as usize);
            Some(content)
        }
    }

    #[test]
    fn what_was_synced_comes_back() {
        let old: Vec<u8> = (0..2_000u32).map(|byte| byte as u8).collect();
        let mut file = File::new(&old);
        file.write(100, &[9; 700]);
        file.write(1_990, &[8; 3_000]);
        file.truncate(50);
        file.write(40, &[7; 20]);
        assert_eq!(file.after(Survivors::Nothing).unwrap(), old);
        file.1.sync();
        let synced = file.0.clone();
        file.write(0, &[1; 60]);
        assert_eq!(file.after(Survivors::Nothing).unwrap(), synced);
    }

    #[test]
    fn every_prefix_of_the_changes_can_be_left() {
        let mut file = File::new(&[0; 1_536]);
        file.write(0, &[1; 1_024]);
        file.write(512, &[2; 1_024]);
        let of = |seed| file.after(Survivors::Prefix { seed }).unwrap();
        let seen: std::collections::BTreeSet<_> =
            (0..200).map(|seed| [of(seed)[0], of(seed)[512], of(seed)[1_024]]).collect();
        let expected = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 2, 0], [1, 2, 2]];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn sectors_are_left_independently() {
        let mut file = File::new(&[0; 1_024]);
        file.write(0, &[1; 1_024]);
        let of = |seed| file.after(Survivors::Sectors { seed }).unwrap();
        let seen: std::collections::BTreeSet<_> = (0..100).map(|seed| [of(seed)[0], of(seed)[512]]).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [[0, 0], [0, 1], [1, 0], [1, 1]]);
    }

    #[test]
    fn a_failed_sync_is_not_mended_by_the_next() {
        let mut file = File::new(&[0; 1_024]);
        file.write(0, &[1; 512]);
        file.1.fail_sync();
        file.write(512, &[1; 512]);
        file.1.sync();
        assert_eq!(file.after(Survivors::Nothing).unwrap(), [[0; 512], [1; 512]].concat());
        file.write(0, &[1; 512]);
        file.1.sync();
        assert_eq!(file.after(Survivors::Nothing).unwrap(), [1; 1_024]);
    }

    #[test]
    fn a_new_file_may_be_gone_until_it_is_synced() {
        let mut history = History::new(0, Some(1));
        assert_eq!(history.remains(&mut Chooser::Oldest), None);
        history.sync();
        assert!(history.remains(&mut Chooser::Oldest).is_some());
    }
}
