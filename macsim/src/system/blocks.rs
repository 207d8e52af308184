//! The blocks runtime: closures of C, as EndpointSecurity and XPC take them.

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, Ordering};

use super::{Export, functions};

/// A block.
#[repr(C)]
pub struct Block {
    isa: *const c_void,
    flags: AtomicI32,
    reserved: i32,
    invoke: *const c_void,
    descriptor: *const Descriptor,
}

#[repr(C)]
struct Descriptor {
    reserved: usize,
    size: usize,
    copy: Option<extern "C" fn(*mut Block, *const Block)>,
    dispose: Option<extern "C" fn(*mut Block)>,
}

const NEEDS_FREE: i32 = 1 << 24;
const HAS_COPY_DISPOSE: i32 = 1 << 25;
const IS_GLOBAL: i32 = 1 << 28;
/// The reference count begins at bit 1.
const REFERENCE: i32 = 2;
const REFERENCES: i32 = 0xfffe;

impl Block {
    /// The function to call, with the block as its first argument; its type is the one that the block's maker
    /// declared.
    pub fn invoke(&self) -> *const c_void {
        self.invoke
    }
}

/// An object of the Objective-C runtime that is only used by its address.
#[repr(transparent)]
struct Class([usize; 32]);

#[allow(non_upper_case_globals, reason = "C's names")]
static _NSConcreteStackBlock: Class = Class([0; 32]);
#[allow(non_upper_case_globals, reason = "C's names")]
static _NSConcreteGlobalBlock: Class = Class([0; 32]);
#[allow(non_upper_case_globals, reason = "C's names")]
static _NSConcreteMallocBlock: Class = Class([0; 32]);

/// Moves a block to the heap, or counts it there.
#[allow(non_snake_case, reason = "C's name")]
pub extern "C" fn _Block_copy(block: *mut Block) -> *mut Block {
    if block.is_null() {
        return block;
    }
    // SAFETY: the caller's block is alive; its descriptor says how large it is and how to copy what it captured.
    unsafe {
        let flags = (*block).flags.load(Ordering::Relaxed);
        if flags & IS_GLOBAL != 0 {
            return block;
        }
        if flags & NEEDS_FREE != 0 {
            (*block).flags.fetch_add(REFERENCE, Ordering::Relaxed);
            return block;
        }
        let descriptor = &*(*block).descriptor;
        let copy = libc::malloc(descriptor.size).cast::<Block>();
        if copy.is_null() {
            return copy;
        }
        copy.cast::<u8>()
            .copy_from_nonoverlapping(block.cast::<u8>(), descriptor.size);
        (*copy).isa = (&raw const _NSConcreteMallocBlock).cast();
        (*copy).flags.store(
            flags & !(REFERENCES | 1) | NEEDS_FREE | REFERENCE,
            Ordering::Relaxed,
        );
        if let Some(capture) = descriptor.copy.filter(|_| flags & HAS_COPY_DISPOSE != 0) {
            capture(copy, block);
        }
        copy
    }
}

/// Frees a block once it has been released as often as it was copied.
#[allow(non_snake_case, reason = "C's name")]
pub extern "C" fn _Block_release(block: *mut Block) {
    if block.is_null() {
        return;
    }
    // SAFETY: the caller owns a reference.
    unsafe {
        if (*block).flags.load(Ordering::Relaxed) & NEEDS_FREE == 0 {
            return;
        }
        let before = (*block).flags.fetch_sub(REFERENCE, Ordering::AcqRel);
        if before & REFERENCES == REFERENCE {
            let dispose = (*(*block).descriptor).dispose;
            if let Some(dispose) = dispose.filter(|_| before & HAS_COPY_DISPOSE != 0) {
                dispose(block);
            }
            libc::free(block.cast());
        }
    }
}

/// The functions and data of this area.
pub fn exports() -> Vec<Export> {
    let mut exports = functions![_Block_copy, _Block_release].to_vec();
    exports.extend([
        (
            "_NSConcreteStackBlock",
            &raw const _NSConcreteStackBlock as usize,
        ),
        (
            "_NSConcreteGlobalBlock",
            &raw const _NSConcreteGlobalBlock as usize,
        ),
        (
            "_NSConcreteMallocBlock",
            &raw const _NSConcreteMallocBlock as usize,
        ),
    ]);
    exports
}
