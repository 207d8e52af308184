//! Terminals: `struct termios`, `ioctl`, pseudo-terminals.

use std::ffi::{c_char, c_int, c_ulong, c_void};

use super::errno::{fail, last};
use super::{Export, functions, groups};

/// macOS's `struct termios`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Termios {
    input: u64,
    output: u64,
    control: u64,
    local: u64,
    characters: [u8; 20],
    input_speed: u64,
    output_speed: u64,
}

type Bits = &'static [(u64, u32)];

const INPUT: Bits = &[
    (0x1, libc::IGNBRK),
    (0x2, libc::BRKINT),
    (0x4, libc::IGNPAR),
    (0x8, libc::PARMRK),
    (0x10, libc::INPCK),
    (0x20, libc::ISTRIP),
    (0x40, libc::INLCR),
    (0x80, libc::IGNCR),
    (0x100, libc::ICRNL),
    (0x200, libc::IXON),
    (0x400, libc::IXOFF),
    (0x800, libc::IXANY),
    (0x2000, libc::IMAXBEL),
    (0x4000, libc::IUTF8),
];
const OUTPUT: Bits = &[
    (0x1, libc::OPOST),
    (0x2, libc::ONLCR),
    (0x4, libc::XTABS),
    (0x10, libc::OCRNL),
    (0x20, libc::ONOCR),
    (0x40, libc::ONLRET),
];
const CONTROL: Bits = &[
    (0x100, libc::CS6),
    (0x200, libc::CS7),
    (0x400, libc::CSTOPB),
    (0x800, libc::CREAD),
    (0x1000, libc::PARENB),
    (0x2000, libc::PARODD),
    (0x4000, libc::HUPCL),
    (0x8000, libc::CLOCAL),
];
const LOCAL: Bits = &[
    (0x1, libc::ECHOKE),
    (0x2, libc::ECHOE),
    (0x4, libc::ECHOK),
    (0x8, libc::ECHO),
    (0x10, libc::ECHONL),
    (0x20, libc::ECHOPRT),
    (0x40, libc::ECHOCTL),
    (0x80, libc::ISIG),
    (0x100, libc::ICANON),
    (0x400, libc::IEXTEN),
    (0x800, libc::EXTPROC),
    (0x40_0000, libc::TOSTOP),
    (0x80_0000, libc::FLUSHO),
    (0x2000_0000, libc::PENDIN),
    (0x8000_0000, libc::NOFLSH),
];
/// macOS's indexes of the control characters and Linux's.
const CHARACTERS: &[(usize, usize)] = &[
    (0, libc::VEOF),
    (1, libc::VEOL),
    (2, libc::VEOL2),
    (3, libc::VERASE),
    (4, libc::VWERASE),
    (5, libc::VKILL),
    (6, libc::VREPRINT),
    (8, libc::VINTR),
    (9, libc::VQUIT),
    (10, libc::VSUSP),
    (12, libc::VSTART),
    (13, libc::VSTOP),
    (14, libc::VLNEXT),
    (15, libc::VDISCARD),
    (16, libc::VMIN),
    (17, libc::VTIME),
];
const MIN: usize = 16;
/// macOS's speeds are numbers, Linux's are codes.
const SPEEDS: &[(u64, libc::speed_t)] = &[
    (0, libc::B0),
    (9600, libc::B9600),
    (19200, libc::B19200),
    (38400, libc::B38400),
    (57600, libc::B57600),
    (115_200, libc::B115200),
    (230_400, libc::B230400),
];
/// The value of a control character that is disabled.
const DISABLED: u8 = 0xff;

fn to_mac(linux: &libc::termios) -> Termios {
    let bits = |value: u32, bits: Bits| {
        let set = bits.iter().filter(|(_, linux)| value & linux == *linux);
        set.fold(0, |sum, (mac, _)| sum | mac)
    };
    let speed = |code: libc::speed_t| {
        SPEEDS
            .iter()
            .find(|(_, linux)| *linux == code)
            .map_or(9600, |(mac, _)| *mac)
    };
    let mut characters = [DISABLED; 20];
    for &(mac, place) in CHARACTERS {
        characters[mac] = match linux.c_cc[place] {
            0 if mac < MIN => DISABLED,
            character => character,
        };
    }
    Termios {
        input: bits(linux.c_iflag, INPUT),
        output: bits(linux.c_oflag, OUTPUT),
        control: bits(linux.c_cflag, CONTROL),
        local: bits(linux.c_lflag, LOCAL),
        characters,
        input_speed: speed(linux.c_ispeed),
        output_speed: speed(linux.c_ospeed),
    }
}

/// Changes the settings that macOS has; the rest of `linux` stays.
fn from_mac(mac: &Termios, linux: &mut libc::termios) {
    let bits = |before: u32, value: u64, bits: Bits| {
        let known = bits.iter().fold(0, |sum, (_, linux)| sum | linux);
        let set = bits.iter().filter(|(mac, _)| value & mac == *mac);
        set.fold(before & !known, |sum, (_, linux)| sum | linux)
    };
    linux.c_iflag = bits(linux.c_iflag, mac.input, INPUT);
    linux.c_oflag = bits(linux.c_oflag, mac.output, OUTPUT);
    linux.c_cflag = bits(linux.c_cflag, mac.control, CONTROL);
    linux.c_lflag = bits(linux.c_lflag, mac.local, LOCAL);
    for &(place, linux_place) in CHARACTERS {
        linux.c_cc[linux_place] = match mac.characters[place] {
            DISABLED if place < MIN => 0,
            character => character,
        };
    }
    let speed = |number: u64| {
        SPEEDS
            .iter()
            .find(|(mac, _)| *mac == number)
            .map(|(_, linux)| *linux)
    };
    linux.c_ispeed = speed(mac.input_speed).unwrap_or(linux.c_ispeed);
    linux.c_ospeed = speed(mac.output_speed).unwrap_or(linux.c_ospeed);
}

extern "C" fn tcgetattr(descriptor: c_int, output: *mut Termios) -> c_int {
    // SAFETY: the caller's structure, and one of our own.
    unsafe {
        let mut linux = std::mem::zeroed();
        let result = libc::tcgetattr(descriptor, &raw mut linux);
        if result == 0 {
            output.write(to_mac(&linux));
        }
        result
    }
}

extern "C" fn tcsetattr(descriptor: c_int, action: c_int, input: *const Termios) -> c_int {
    const SOFT: c_int = 0x10;
    // SAFETY: the caller's structure, and one of our own.
    unsafe {
        let mut linux = std::mem::zeroed();
        if libc::tcgetattr(descriptor, &raw mut linux) != 0 {
            return -1;
        }
        from_mac(&*input, &mut linux);
        libc::tcsetattr(descriptor, action & !SOFT, &raw const linux)
    }
}

extern "C" fn cfmakeraw(termios: *mut Termios) {
    // SAFETY: the caller's structure.
    let termios = unsafe { &mut *termios };
    // As macOS's own: of the input flags, IMAXBEL, IXOFF and IUTF8 are kept, and breaks are ignored.
    termios.input = termios.input & (0x2000 | 0x400 | 0x4000) | 0x1;
    termios.output &= !0x1;
    termios.local &=
        !(0x2 | 0x4 | 0x1 | 0x8 | 0x10 | 0x40 | 0x20 | 0x200 | 0x80 | 0x100 | 0x400 | 0x2000_0000);
    termios.control = termios.control & !(0x300 | 0x1000) | 0x300 | 0x800;
    termios.characters[MIN] = 1;
    termios.characters[MIN + 1] = 0;
}

extern "C" fn ioctl(descriptor: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    // SAFETY: as C asks of the caller: the argument is what the request takes.
    unsafe {
        match request as u32 {
            0x2000_6601 => libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC),
            0x2000_6602 => libc::fcntl(descriptor, libc::F_SETFD, 0),
            0x8004_667e => libc::ioctl(descriptor, libc::FIONBIO, argument),
            0x4004_667f => libc::ioctl(descriptor, libc::FIONREAD, argument),
            0x4008_7468 => libc::ioctl(descriptor, libc::TIOCGWINSZ, argument),
            0x8008_7467 => libc::ioctl(descriptor, libc::TIOCSWINSZ, argument),
            0x2000_7461 => libc::ioctl(descriptor, libc::TIOCSCTTY, 0),
            0x2000_7471 => libc::ioctl(descriptor, libc::TIOCNOTTY),
            0x4004_7477 => match libc::tcgetpgrp(descriptor) {
                -1 => -1,
                group => {
                    argument.cast::<i32>().write(groups::shown(group));
                    0
                }
            },
            0x8004_7476 => libc::tcsetpgrp(descriptor, groups::real(argument.cast::<i32>().read())),
            0x4004_7473 => libc::ioctl(descriptor, libc::TIOCOUTQ, argument),
            0x4048_7413 => tcgetattr(descriptor, argument.cast()),
            set @ 0x8048_7414..=0x8048_7416 => {
                tcsetattr(descriptor, (set - 0x8048_7414) as c_int, argument.cast())
            }
            0x2000_7454 => grantpt(descriptor),
            0x2000_7452 => unlockpt(descriptor),
            0x4080_7453 => match libc::ptsname_r(descriptor, argument.cast(), 128) {
                0 => 0,
                error => fail(error),
            },
            _ => fail(libc::ENOTTY),
        }
    }
}

extern "C" fn posix_openpt(flags: c_int) -> c_int {
    // SAFETY: always possible.
    unsafe { libc::posix_openpt(super::files::open_flags(flags)) }
}

extern "C" fn grantpt(descriptor: c_int) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::grantpt(descriptor) }
}

extern "C" fn unlockpt(descriptor: c_int) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::unlockpt(descriptor) }
}

extern "C" fn ptsname_r(descriptor: c_int, buffer: *mut c_char, size: usize) -> c_int {
    // SAFETY: as C asks of the caller. macOS's sets errno and returns -1.
    match unsafe { libc::ptsname_r(descriptor, buffer, size) } {
        0 => 0,
        error => fail(error),
    }
}

extern "C" fn openpty(
    main: *mut c_int,
    other: *mut c_int,
    name: *mut c_char,
    termios: *const Termios,
    size: *const libc::winsize,
) -> c_int {
    // SAFETY: as C asks of the caller, NULL allowed for the last two.
    unsafe {
        if libc::openpty(main, other, name, std::ptr::null(), size) != 0 {
            return -1;
        }
        if termios.is_null() {
            0
        } else {
            tcsetattr(*other, 0, termios)
        }
    }
}

extern "C" fn ttyname_r(descriptor: c_int, buffer: *mut c_char, size: usize) -> c_int {
    // SAFETY: as C asks of the caller.
    match unsafe { libc::ttyname_r(descriptor, buffer, size) } {
        0 => 0,
        _ => last(),
    }
}

extern "C" fn tcflush(descriptor: c_int, queue: c_int) -> c_int {
    // macOS counts the queues from 1.
    // SAFETY: as C asks of the caller.
    unsafe { libc::tcflush(descriptor, queue - 1) }
}

extern "C" fn tcdrain(descriptor: c_int) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::tcdrain(descriptor) }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        cfmakeraw,
        grantpt,
        ioctl,
        openpty,
        posix_openpt,
        ptsname_r,
        tcdrain,
        tcflush,
        tcgetattr,
        tcsetattr,
        ttyname_r,
        unlockpt,
    ]
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_go_there_and_back() {
        assert_eq!(size_of::<Termios>(), 72);
        let mut characters = [DISABLED; 20];
        characters[8] = 3;
        characters[MIN] = 1;
        characters[17] = 0;
        let mac = Termios {
            input: 0x4000 | 0x100,
            output: 0x3,
            control: 0x300 | 0x800,
            local: 0x8 | 0x80 | 0x100,
            characters,
            input_speed: 9600,
            output_speed: 38400,
        };
        // SAFETY: plain numbers.
        let mut linux = unsafe { std::mem::zeroed() };
        from_mac(&mac, &mut linux);
        assert_eq!(linux.c_oflag, libc::OPOST | libc::ONLCR);
        assert_eq!(linux.c_cflag & libc::CSIZE, libc::CS8);
        assert_eq!(linux.c_cc[libc::VINTR], 3);
        assert_eq!(linux.c_cc[libc::VSUSP], 0);
        assert_eq!(to_mac(&linux), mac);
    }
}
