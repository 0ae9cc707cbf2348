//! The layer itself: SQLite's own file system with the disk in between.
//!
//! The only module with `unsafe`. What it may rely on is what SQLite promises to a file system: pointers it passes are
//! valid for the call, a file is used by one thread at a time, and nothing is called on a file after `xClose`.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ffi;

use crate::disk::{Refusal, Shared};

/// What SQLite hands back to the layer with every call to the file system.
struct Layer {
    real: *mut ffi::sqlite3_vfs,
    disk: Arc<Shared>,
}

/// An open file as SQLite sees it. The real file lies behind it, in the room that SQLite gave for both.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    real: *mut ffi::sqlite3_file,
    open: *mut Open,
}

/// What the layer knows of an open file.
struct Open {
    disk: Arc<Shared>,
    /// None for a temporary file: nobody expects it to outlive the process.
    path: Option<PathBuf>,
    /// How often the power had failed when it was opened.
    opened: u64,
    /// Whether it is a log or a journal.
    log: bool,
}

/// Registers the layer. It is never taken back: connections may hold it as long as the process lives.
pub(crate) fn register(name: &str, disk: Arc<Shared>) -> rusqlite::Result<()> {
    let failed = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
    let name = CString::new(name).map_err(rusqlite::Error::NulError)?;
    // SAFETY: a null name asks for the default file system; `sqlite3_vfs_find` initialises the library.
    let real = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
    // SAFETY: a file system that was found stays valid, and is only read here.
    let Some(default) = (unsafe { real.as_ref() }) else { return Err(failed(ffi::SQLITE_ERROR)) };
    let handle = c_int::try_from(size_of::<Handle>()).map_err(|_| failed(ffi::SQLITE_NOMEM))?;
    let layer = Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: handle + default.szOsFile,
        mxPathname: default.mxPathname,
        pNext: std::ptr::null_mut(),
        zName: name.into_raw(),
        pAppData: Box::into_raw(Box::new(Layer { real, disk })).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_millis),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    });
    // SAFETY: the structure and all that it points to are leaked, so they outlive every use.
    match unsafe { ffi::sqlite3_vfs_register(Box::into_raw(layer), 0) } {
        ffi::SQLITE_OK => Ok(()),
        code => Err(failed(code)),
    }
}

/// The layer of a file system.
///
/// # Safety
/// `vfs` is one that [`register`] made.
unsafe fn layer<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Layer {
    // SAFETY: `register` put a leaked `Layer` there.
    unsafe { &*(*vfs).pAppData.cast::<Layer>() }
}

/// What is known of an open file, and the real one.
///
/// # Safety
/// `file` was opened by [`open`] and is not closed.
unsafe fn parts<'a>(file: *mut ffi::sqlite3_file) -> (&'a Open, *mut ffi::sqlite3_file) {
    // SAFETY: `open` filled a `Handle` there, with a box that lives until `close`.
    unsafe {
        let handle = file.cast::<Handle>();
        (&*(*handle).open, (*handle).real)
    }
}

/// Calls a method of the real file; `missing` where it has none.
macro_rules! real {
    ($file:expr, $method:ident ($($argument:expr),*), $missing:expr) => {
        match (*(*$file).pMethods).$method {
            Some(method) => method($file $(, $argument)*),
            None => $missing,
        }
    };
}

/// Calls a method of the real file system.
macro_rules! below {
    ($vfs:expr, $method:ident ($($argument:expr),*), $missing:expr) => {{
        let real = layer($vfs).real;
        match (*real).$method {
            Some(method) => method(real $(, $argument)*),
            None => $missing,
        }
    }};
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Version 2 has shared memory, and no memory maps of files, which would pass the disk by.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

fn code(refusal: Refusal, fault: c_int) -> c_int {
    match refusal {
        Refusal::Full(_) => ffi::SQLITE_FULL,
        Refusal::NoPower | Refusal::Fault => fault,
    }
}

/// The path that a C string is.
///
/// # Safety
/// `name` is null or a string that ends with a null byte.
unsafe fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    // SAFETY: the caller says so.
    (!name.is_null()).then(|| Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())))
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes the file system it was given, a name or null, and room of `szOsFile` bytes, aligned for
    // any type; the real file gets what of it lies behind the handle.
    unsafe {
        let handle = file.cast::<Handle>();
        let real = handle.add(1).cast::<ffi::sqlite3_file>();
        // SQLite closes a file that has methods, also when opening it failed.
        (*handle).base.pMethods = std::ptr::null();
        let disk = &layer(vfs).disk;
        let path = path(name);
        let mut state = disk.state();
        if state.answers().is_err() {
            return ffi::SQLITE_CANTOPEN;
        }
        let found = path.and_then(|path| std::fs::metadata(path).ok());
        let result = below!(vfs, xOpen(name, real, flags, out_flags), ffi::SQLITE_CANTOPEN);
        if result != ffi::SQLITE_OK {
            return result;
        }
        let size = found.as_ref().map_or(0, std::fs::Metadata::len);
        let opened = state.open(path, found.is_none(), size);
        let log = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0;
        let open = Open { disk: Arc::clone(disk), path: path.map(Path::to_owned), opened, log };
        (*handle).real = real;
        (*handle).open = Box::into_raw(Box::new(open));
        (*handle).base.pMethods = &raw const METHODS;
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open, and this is the last call to it.
    unsafe {
        let handle = file.cast::<Handle>();
        let open = Box::from_raw((*handle).open);
        let result = real!((*handle).real, xClose(), ffi::SQLITE_OK);
        (*handle).base.pMethods = std::ptr::null();
        open.disk.close();
        result
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    to: *mut c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the file is open, and `to` has room for `amount` bytes.
    unsafe {
        let (open, real) = parts(file);
        let mut state = open.disk.state();
        if let Err(refusal) = state.read(open.opened) {
            return code(refusal, ffi::SQLITE_IOERR_READ);
        }
        if state.cuts_read() {
            to.cast::<u8>().write_bytes(0, usize::try_from(amount).unwrap_or_default());
            return ffi::SQLITE_IOERR_SHORT_READ;
        }
        real!(real, xRead(to, amount, offset), ffi::SQLITE_IOERR_READ)
    }
}

/// Reads what a real file holds; what is beyond its end is zero.
///
/// # Safety
/// `real` is an open file.
unsafe fn read_now(real: *mut ffi::sqlite3_file, offset: u64, to: &mut [u8]) {
    let (Ok(amount), Ok(offset)) = (c_int::try_from(to.len()), i64::try_from(offset)) else { return };
    // SAFETY: the file is open and `to` has room. A read beyond the end fills the rest with zeros.
    let _ = unsafe { real!(real, xRead(to.as_mut_ptr().cast(), amount, offset), ffi::SQLITE_IOERR_READ) };
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the file is open, and `from` holds `amount` bytes.
    unsafe {
        let (open, real) = parts(file);
        let (Ok(length), Ok(start)) = (usize::try_from(amount), u64::try_from(offset)) else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        let mut state = open.disk.state();
        let (length, result) = match &open.path {
            Some(path) => {
                let data = std::slice::from_raw_parts(from.cast::<u8>(), length);
                state.write(open.opened, path, start, data, &mut |at, to| read_now(real, at, to))
            }
            None => (length, state.lives(open.opened)),
        };
        let mut done = ffi::SQLITE_OK;
        if length > 0 {
            let amount = c_int::try_from(length).unwrap_or(amount);
            done = real!(real, xWrite(from, amount, offset), ffi::SQLITE_IOERR_WRITE);
        }
        // Only now, so that the power can fail in the middle of the write.
        let result = result.and_then(|()| if open.path.is_some() { state.count_change() } else { Ok(()) });
        result.map_or_else(|refusal| code(refusal, ffi::SQLITE_IOERR_WRITE), |()| done)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let (open, real) = parts(file);
        let mut state = open.disk.state();
        let result = match (&open.path, u64::try_from(size)) {
            (Some(path), Ok(size)) => {
                state.truncate(open.opened, path, size, &mut |at, to| read_now(real, at, to))
            }
            _ => state.lives(open.opened),
        };
        if let Err(refusal) = result {
            return code(refusal, ffi::SQLITE_IOERR_TRUNCATE);
        }
        let done = real!(real, xTruncate(size), ffi::SQLITE_IOERR_TRUNCATE);
        state.count_change().map_or_else(|refusal| code(refusal, ffi::SQLITE_IOERR_TRUNCATE), |()| done)
    }
}

/// Syncs a file as far as the disk is concerned. The machine under it is not asked: it will not lose its power.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let (open, _) = unsafe { parts(file) };
    let mut state = open.disk.state();
    let Some(path) = &open.path else { return ffi::SQLITE_OK };
    let result = state.lives(open.opened).and_then(|()| state.count_change());
    let result = result.and_then(|()| state.sync(open.opened, path, open.log));
    result.map_or_else(|refusal| code(refusal, ffi::SQLITE_IOERR_FSYNC), |()| ffi::SQLITE_OK)
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite passes the file system it was given and a name.
    unsafe {
        let mut state = layer(vfs).disk.state();
        let found = path(name).filter(|path| path.exists());
        if state.answers().is_err() || (found.is_some() && state.count_change().is_err()) {
            return ffi::SQLITE_IOERR_DELETE;
        }
        if let Some(Err(_)) = found.map(|path| state.delete(path, sync & 1 != 0)) {
            return ffi::SQLITE_IOERR_DELETE;
        }
        below!(vfs, xDelete(name, sync), ffi::SQLITE_IOERR_DELETE)
    }
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes the file system it was given, a name, and room for the answer.
    unsafe {
        if layer(vfs).disk.state().answers().is_err() {
            return ffi::SQLITE_IOERR_ACCESS;
        }
        below!(vfs, xAccess(name, flags, out), ffi::SQLITE_IOERR_ACCESS)
    }
}

/// Refuses a call to a file that was open when the power failed.
macro_rules! alive {
    ($open:expr, $code:expr) => {
        if $open.disk.state().lives($open.opened).is_err() {
            return $code;
        }
    };
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: the file is open, and there is room for the answer.
    unsafe {
        let (open, real) = parts(file);
        alive!(open, ffi::SQLITE_IOERR_FSTAT);
        real!(real, xFileSize(size), ffi::SQLITE_IOERR_FSTAT)
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let (open, real) = parts(file);
        alive!(open, ffi::SQLITE_IOERR_LOCK);
        real!(real, xLock(level), ffi::SQLITE_IOERR_LOCK)
    }
}

/// Locks are given back also without power: the process that held them is gone.
unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let (_, real) = parts(file);
        real!(real, xUnlock(level), ffi::SQLITE_IOERR_UNLOCK)
    }
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: the file is open, and there is room for the answer.
    unsafe {
        let (open, real) = parts(file);
        alive!(open, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK);
        real!(real, xCheckReservedLock(out), ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)
    }
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the file is open, and the argument is what the operation asks for.
    unsafe {
        let (open, real) = parts(file);
        alive!(open, ffi::SQLITE_IOERR);
        real!(real, xFileControl(op, argument), ffi::SQLITE_NOTFOUND)
    }
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let (_, real) = parts(file);
        real!(real, xSectorSize(), 4_096)
    }
}

/// Of what the real disk promises only this: a write changes no byte beside it.
unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let (_, real) = parts(file);
        real!(real, xDeviceCharacteristics(), 0) & ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
    }
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: the file is open, and there is room for the answer.
    unsafe {
        let (open, real) = parts(file);
        alive!(open, ffi::SQLITE_IOERR_SHMMAP);
        real!(real, xShmMap(page, size, extend, out), ffi::SQLITE_IOERR_SHMMAP)
    }
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, n: c_int, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let (open, real) = parts(file);
        if flags & ffi::SQLITE_SHM_UNLOCK == 0 {
            alive!(open, ffi::SQLITE_IOERR_SHMLOCK);
        }
        real!(real, xShmLock(offset, n, flags), ffi::SQLITE_IOERR_SHMLOCK)
    }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: the file is open.
    unsafe {
        let (_, real) = parts(file);
        real!(real, xShmBarrier(), ());
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let (_, real) = parts(file);
        real!(real, xShmUnmap(delete), ffi::SQLITE_OK)
    }
}

unsafe extern "C" fn full_path(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes the file system it was given, a name, and room for the answer.
    unsafe { below!(vfs, xFullPathname(name, room, out), ffi::SQLITE_CANTOPEN) }
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite passes the file system it was given, and room for the answer.
    unsafe { below!(vfs, xRandomness(room, out), 0) }
}

unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    // SAFETY: SQLite passes the file system it was given.
    unsafe { below!(vfs, xSleep(micros), 0) }
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite passes the file system it was given, and room for the answer.
    unsafe { below!(vfs, xCurrentTime(out), ffi::SQLITE_ERROR) }
}

unsafe extern "C" fn current_time_millis(vfs: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite passes the file system it was given, and room for the answer.
    unsafe { below!(vfs, xCurrentTimeInt64(out), ffi::SQLITE_ERROR) }
}

unsafe extern "C" fn last_error(vfs: *mut ffi::sqlite3_vfs, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite passes the file system it was given, and room for the answer.
    unsafe { below!(vfs, xGetLastError(room, out), 0) }
}
