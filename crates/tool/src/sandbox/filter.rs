//! The seccomp filter: which system calls a sandboxed process may not make.
//!
//! All others may be made: namespaces and missing rights hold already, and the filter takes away what has had holes in
//! the kernel behind it, what no namespace covers, and what would get around a limit.

/// One instruction of the kernel's classic packet filter, `struct sock_filter` of `linux/filter.h`.
#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

/// Loads a word of `struct seccomp_data` (`linux/seccomp.h`).
const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
#[cfg(target_arch = "x86_64")]
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// Where the lower half of an argument is; both supported architectures are little-endian.
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

const fn error(number: i32) -> u32 {
    0x0005_0000 | (number as u32 & 0xffff)
}

const NOT_PERMITTED: u32 = error(libc::EPERM);
/// Makes a program take the older way, such as `clone` for `clone3`, whose flags a filter cannot read.
const NOT_THERE: u32 = error(libc::ENOSYS);

#[cfg(target_arch = "x86_64")]
const OURS: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const OURS: u32 = 0xc000_00b7;

/// System calls that fail with `EPERM`.
const REFUSED: &[libc::c_long] = &[
    // Looking into and changing other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // The keyring.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Large and often broken parts of the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    // Memory that belongs to no process and that nobody would count.
    libc::SYS_shmget,
];

/// System calls that do not exist for the program.
const ABSENT: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // As with `shmget`.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
];

/// The flags of `clone` that make namespaces.
const NEW_NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// The families of sockets that are kept within a network namespace, and that programs use.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// `ioctl` requests that type into a terminal.
const TYPING: [u32; 2] = [0x5412, 0x541c];

/// The filter as the kernel reads it.
pub(super) fn program() -> Vec<u8> {
    let mut filter = vec![
        load(ARCHITECTURE),
        when(IF_EQUAL, OURS, 1, 0),
        // Another architecture has other numbers for the same calls.
        give(KILL_PROCESS),
        load(NUMBER),
    ];
    #[cfg(target_arch = "x86_64")]
    {
        // The calls of the x32 interface, which have numbers of their own.
        filter.extend([when(IF_AT_LEAST, 0x4000_0000, 0, 1), give(NOT_THERE)]);
    }
    let answers = [(REFUSED, NOT_PERMITTED), (ABSENT, NOT_THERE)];
    for (calls, answer) in answers {
        for call in calls {
            filter.extend([when(IF_EQUAL, *call as u32, 0, 1), give(answer)]);
        }
    }
    let namespaces = vec![
        load(argument(0)),
        when(IF_ANY_BIT, NEW_NAMESPACES as u32, 0, 1),
        give(NOT_PERMITTED),
        give(ALLOW),
    ];
    filter.extend(on(libc::SYS_clone, namespaces));
    let typing = TYPING.iter().flat_map(|request| [when(IF_EQUAL, *request, 0, 1), give(NOT_PERMITTED)]);
    filter.extend(on(
        libc::SYS_ioctl,
        [load(argument(1))].into_iter().chain(typing).chain([give(ALLOW)]).collect(),
    ));
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        let allowed = FAMILIES.iter().flat_map(|family| [when(IF_EQUAL, *family as u32, 0, 1), give(ALLOW)]);
        let unknown = give(error(libc::EAFNOSUPPORT));
        filter.extend(on(call, [load(argument(0))].into_iter().chain(allowed).chain([unknown]).collect()));
    }
    filter.push(give(ALLOW));
    filter.into_iter().flat_map(Instruction::bytes).collect()
}

/// Instructions that are run for one call. They must end with [`give`].
fn on(call: libc::c_long, block: Vec<Instruction>) -> impl Iterator<Item = Instruction> {
    let skip = u8::try_from(block.len()).unwrap_or(u8::MAX);
    std::iter::once(when(IF_EQUAL, call as u32, 0, skip)).chain(block)
}

fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD, if_true: 0, if_false: 0, value: offset }
}

/// Skips instructions, by whether the loaded word fits.
fn when(code: u16, value: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, if_true, if_false, value }
}

fn give(answer: u32) -> Instruction {
    Instruction { code: RETURN, if_true: 0, if_false: 0, value: answer }
}

impl Instruction {
    fn bytes(self) -> [u8; 8] {
        let [a, b] = self.code.to_ne_bytes();
        let [c, d, e, f] = self.value.to_ne_bytes();
        [a, b, self.if_true, self.if_false, c, d, e, f]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does.
    fn answer(architecture: u32, call: libc::c_long, arguments: [u64; 2]) -> u32 {
        let mut data = Vec::new();
        data.extend((call as u32).to_ne_bytes());
        data.extend(architecture.to_ne_bytes());
        data.extend([0; 8]);
        arguments.iter().for_each(|argument| data.extend(argument.to_ne_bytes()));
        let program = program();
        let instructions: Vec<_> = program.chunks(8).collect();
        let (mut at, mut word) = (0, 0);
        loop {
            let [a, b, yes, no, c, d, e, f] = *instructions[at] else { panic!("not whole") };
            let value = u32::from_ne_bytes([c, d, e, f]);
            let jump = |fits: bool| usize::from(if fits { yes } else { no }) + 1;
            at += match u16::from_ne_bytes([a, b]) {
                RETURN => return value,
                LOAD => {
                    let offset = value as usize;
                    word = u32::from_ne_bytes(data[offset..offset + 4].try_into().unwrap());
                    1
                }
                IF_EQUAL => jump(word == value),
                0x35 => jump(word >= value),
                IF_ANY_BIT => jump(word & value != 0),
                other => panic!("no instruction: {other}"),
            };
        }
    }

    #[test]
    fn ordinary_calls_pass_and_dangerous_ones_do_not() {
        let ours = |call, arguments| answer(OURS, call, arguments);
        for call in [libc::SYS_read, libc::SYS_openat, libc::SYS_execve, libc::SYS_prlimit64, libc::SYS_futex]
        {
            assert_eq!(ours(call, [0, 0]), ALLOW, "{call}");
        }
        for call in [libc::SYS_ptrace, libc::SYS_mount, libc::SYS_keyctl, libc::SYS_unshare, libc::SYS_bpf] {
            assert_eq!(ours(call, [0, 0]), NOT_PERMITTED, "{call}");
        }
        assert_eq!(ours(libc::SYS_clone3, [0, 0]), NOT_THERE);
        assert_eq!(ours(libc::SYS_clone, [libc::SIGCHLD as u64, 0]), ALLOW);
        assert_eq!(ours(libc::SYS_clone, [libc::CLONE_NEWUSER as u64, 0]), NOT_PERMITTED);
        assert_eq!(ours(libc::SYS_ioctl, [0, 0x5412]), NOT_PERMITTED);
        // The kernel reads the lower half only.
        assert_eq!(ours(libc::SYS_ioctl, [0, 0x1_0000_5412]), NOT_PERMITTED);
        assert_eq!(ours(libc::SYS_ioctl, [0, 0x5401]), ALLOW);
        assert_eq!(ours(libc::SYS_socket, [libc::AF_INET as u64, 1]), ALLOW);
        assert_eq!(ours(libc::SYS_socket, [libc::AF_VSOCK as u64, 1]), error(libc::EAFNOSUPPORT));
        assert_eq!(ours(libc::SYS_socketpair, [libc::AF_UNIX as u64, 1]), ALLOW);
    }

    #[test]
    fn another_architecture_is_killed() {
        assert_eq!(answer(0x4000_0003, libc::SYS_read, [0, 0]), KILL_PROCESS);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(answer(OURS, 0x4000_0000 + libc::SYS_ptrace, [0, 0]), NOT_THERE);
    }
}
