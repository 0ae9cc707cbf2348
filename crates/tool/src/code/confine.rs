//! What the child process gives up before it runs a program.

use super::program::Limits;

/// What the process needs besides what it has when it begins and what a program makes, in bytes.
const BASE: u64 = 128 << 20;

/// Gives up everything but memory, reading from standard input and writing to standard output and error. Fails with what
/// could not be given up.
pub(super) fn give_up(limits: &Limits) -> Result<(), String> {
    #[cfg(unix)]
    limit(limits)?;
    #[cfg(target_os = "linux")]
    linux::give_up()?;
    Ok(())
}

/// Limits what the kernel counts. What a program makes is counted by its interpreter; this is for what that misses.
#[cfg(unix)]
fn limit(limits: &Limits) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    // What the process has by now counts as well: some allocators take a large part of the address space at once.
    #[cfg(target_os = "linux")]
    let has =
        linux::data().map_err(|error| format!("the kernel does not say what memory it has: {error}"))?;
    let seconds = limits.time().as_secs().saturating_mul(2).saturating_add(10);
    let bounds = [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Cpu, seconds),
        #[cfg(target_os = "linux")]
        (Resource::Data, limits.memory.saturating_mul(2).saturating_add(BASE).saturating_add(has)),
    ];
    for (resource, most) in bounds {
        let bound = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, bound)
            .map_err(|error| format!("a limit of the kernel cannot be set: {error}"))?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use rustix::process::{Signal, set_parent_process_death_signal};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op,
        SeccompCondition as Condition, SeccompFilter, SeccompRule, apply_filter_all_threads,
    };

    /// How much memory the process may write to, its stacks included, in bytes.
    pub(super) fn data() -> std::io::Result<u64> {
        let told = std::fs::read_to_string("/proc/self/statm")?;
        let pages = told.split(' ').nth(5).and_then(|pages| pages.parse::<u64>().ok());
        let pages = pages.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidData))?;
        Ok(pages.saturating_mul(rustix::param::page_size() as u64))
    }

    pub(super) fn give_up() -> Result<(), String> {
        set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| format!("the process would outlive its parent: {error}"))?;
        let filter =
            filter().map_err(|error| format!("the filter of system calls cannot be made: {error}"))?;
        apply_filter_all_threads(&filter)
            .map_err(|error| format!("the kernel takes no filter of system calls: {error}"))
    }

    /// A filter that refuses every system call but these.
    fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
        let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
        let anonymous = u64::from(libc::MAP_ANONYMOUS.unsigned_abs());
        let is = |argument, value| Condition::new(argument, Len::Dword, Op::Eq, value);
        let masked = |argument, mask, value| Condition::new(argument, Len::Dword, Op::MaskedEq(mask), value);
        let rule = |conditions: Vec<Condition>| SeccompRule::new(conditions);
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = [
            // The pipes, by their numbers: what else was inherited is out of reach.
            (libc::SYS_read, vec![rule(vec![is(0, 0)?])?]),
            (libc::SYS_write, vec![rule(vec![is(0, 1)?])?, rule(vec![is(0, 2)?])?]),
            // Memory that is no file's, and that is not executed.
            (libc::SYS_mmap, vec![rule(vec![masked(2, executable, 0)?, masked(3, anonymous, anonymous)?])?]),
            (libc::SYS_mprotect, vec![rule(vec![masked(2, executable, 0)?])?]),
        ]
        .into();
        let plain = [
            libc::SYS_munmap,
            libc::SYS_mremap,
            libc::SYS_madvise,
            libc::SYS_brk,
            libc::SYS_futex,
            libc::SYS_sched_yield,
            libc::SYS_getrandom,
            libc::SYS_clock_gettime,
            libc::SYS_gettimeofday,
            libc::SYS_rt_sigreturn,
            libc::SYS_rt_sigprocmask,
            libc::SYS_sigaltstack,
            libc::SYS_restart_syscall,
            libc::SYS_exit,
            libc::SYS_exit_group,
        ];
        rules.extend(plain.map(|call| (call, Vec::new())));
        let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let filter =
            SeccompFilter::new(rules, refuse, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
        filter.try_into()
    }
}
