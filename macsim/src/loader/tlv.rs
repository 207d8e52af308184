//! Thread-local variables. The program reads one by calling the thunk in its descriptor, which returns the variable's
//! address.

use std::arch::naked_asm;
use std::sync::OnceLock;

use super::image::Image;
use super::macho::{Executable, kind};

/// The initial values of a thread's variables.
static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();

/// A descriptor: thunk, key, offset.
#[repr(C)]
pub struct Descriptor {
    thunk: u64,
    key: u64,
    offset: u64,
}

/// Returns the address of a thread's variable; the descriptor comes in `rdi`.
///
/// Compilers expect every register but `rax` and `rdi` to survive this call, so it can't be written as a function. The
/// thread's block hangs on a thread-local variable of our own; a thread's first access makes the block.
#[unsafe(naked)]
#[allow(
    named_asm_labels,
    reason = "a naked function is emitted once; compilers before 1.90 don't know that"
)]
unsafe extern "C" fn thunk() {
    naked_asm!(
        ".pushsection .tbss.macsim,\"awT\",@nobits",
        ".balign 8",
        "macsim_tlv_block: .zero 8",
        ".popsection",
        "mov rax, qword ptr [rip + macsim_tlv_block@GOTTPOFF]",
        "mov rax, qword ptr fs:[rax]",
        "test rax, rax",
        "jz 2f",
        "add rax, qword ptr [rdi + 16]",
        "ret",
        "2:",
        "push rbp",
        "mov rbp, rsp",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "and rsp, -16",
        "sub rsp, 512", // in case a caller keeps something in the vector registers after all
        "fxsave64 [rsp]",
        "call {make_block}",
        "fxrstor64 [rsp]",
        "lea rsp, [rbp - 64]",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "pop rbp",
        "push rcx",
        "mov rcx, qword ptr [rip + macsim_tlv_block@GOTTPOFF]",
        "mov qword ptr fs:[rcx], rax",
        "pop rcx",
        "add rax, qword ptr [rdi + 16]",
        "ret",
        make_block = sym make_block,
    )
}

/// A thread's block. It is never freed: a destructor that runs late may still read its variables.
extern "C" fn make_block() -> *mut u8 {
    let template = TEMPLATE.get().map(Vec::as_slice).unwrap_or_default();
    // No load command has the alignment of a thread's variables; no type here needs more than 64.
    let mut block = vec![Line([0; 64]); template.len().div_ceil(64) + 1];
    let place = block.as_mut_ptr().cast::<u8>();
    std::mem::forget(block);
    // SAFETY: the block has room for the template.
    unsafe { place.copy_from_nonoverlapping(template.as_ptr(), template.len()) };
    place
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "it is memory for the program")] [u8; 64]);

/// Takes the template from the image, and writes the thunk into the descriptors.
pub fn set_up(image: &mut Image, executable: &Executable) -> Result<(), String> {
    let data = || {
        executable
            .of_kind(kind::THREAD_DATA)
            .chain(executable.of_kind(kind::THREAD_ZERO))
    };
    let start = data().map(|section| section.address).min().unwrap_or(0);
    let end = data()
        .map(|section| section.address + section.size)
        .max()
        .unwrap_or(0);
    if end > start {
        let template = image.slice(start, (end - start) as usize)?.to_vec();
        TEMPLATE
            .set(template)
            .map_err(|_| "one program at a time")?;
    }
    for section in executable.of_kind(kind::THREAD_VARIABLES) {
        for index in 0..section.size / size_of::<Descriptor>() as u64 {
            let place = section.address + index * size_of::<Descriptor>() as u64;
            image.set_pointer(place, thunk as *const () as u64)?;
        }
    }
    Ok(())
}
