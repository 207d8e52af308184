//! The entitlements of a program, which messages have since macOS 27.
//!
//! They are an XPC object. The function that returns it is newer than macOS 13, so it and the functions that read XPC
//! objects are looked up at the first exec: the program also starts on systems that lack them.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::LazyLock;

use block2::{Block, RcBlock};

use super::c::es_event_exec_t;
use super::system::symbol;
use crate::text::json::push_string;

/// `xpc_object_t` and `xpc_type_t`, `<xpc/xpc.h>`.
type Object = *mut c_void;

/// `xpc_dictionary_applier_t`: a `bool` is returned like a byte.
type EachPair<'f> = Block<dyn Fn(*const c_char, Object) -> u8 + 'f>;

/// The functions, if macOS has them.
struct Functions {
    es_exec_entitlements: unsafe extern "C" fn(*const es_event_exec_t) -> Object,
    xpc_release: unsafe extern "C" fn(Object),
    xpc_get_type: unsafe extern "C" fn(Object) -> *const c_void,
    xpc_dictionary_apply: unsafe extern "C" fn(Object, &EachPair<'_>) -> bool,
    xpc_array_get_count: unsafe extern "C" fn(Object) -> usize,
    xpc_array_get_value: unsafe extern "C" fn(Object, usize) -> Object,
    xpc_string_get_string_ptr: unsafe extern "C" fn(Object) -> *const c_char,
    xpc_bool_get_value: unsafe extern "C" fn(Object) -> bool,
    xpc_int64_get_value: unsafe extern "C" fn(Object) -> i64,
    xpc_uint64_get_value: unsafe extern "C" fn(Object) -> u64,
    xpc_double_get_value: unsafe extern "C" fn(Object) -> f64,
    xpc_data_get_bytes_ptr: unsafe extern "C" fn(Object) -> *const u8,
    xpc_data_get_length: unsafe extern "C" fn(Object) -> usize,
    types: Types,
}

/// The addresses that stand for the types of XPC objects.
struct Types {
    dictionary: usize,
    array: usize,
    string: usize,
    bool: usize,
    int64: usize,
    uint64: usize,
    double: usize,
    data: usize,
}

static FUNCTIONS: LazyLock<Option<Functions>> = LazyLock::new(Functions::look_up);

/// Appends the entitlements of the program as JSON. Returns false if there are none to be shown.
///
/// # Safety
/// It must be the exec of a message.
pub unsafe fn push(out: &mut Vec<u8>, exec: *const es_event_exec_t) -> bool {
    let Some(functions) = &*FUNCTIONS else {
        return false;
    };
    // SAFETY: the caller promises that it is the exec of a message.
    let object = unsafe { (functions.es_exec_entitlements)(exec) };
    if object.is_null() {
        return false;
    }
    functions.push(out, object);
    // SAFETY: "The caller is responsible for releasing the returned object" (ESMessage.h), which isn't used after this.
    unsafe { (functions.xpc_release)(object) };
    true
}

/// Looks up a function by its name; its type follows from the field that it is put into.
macro_rules! function {
    ($name:literal) => {{
        let address = symbol($name)?;
        // SAFETY: the function has the type that <xpc/xpc.h> or ESMessage.h gives it.
        unsafe { std::mem::transmute::<*mut c_void, _>(address) }
    }};
}

impl Functions {
    #[expect(
        clippy::missing_transmute_annotations,
        reason = "each function has the type of the member that it is put in"
    )]
    fn look_up() -> Option<Functions> {
        let address = |name| symbol(name).map(|address| address as usize);
        Some(Functions {
            es_exec_entitlements: function!(c"es_exec_entitlements"),
            xpc_release: function!(c"xpc_release"),
            xpc_get_type: function!(c"xpc_get_type"),
            xpc_dictionary_apply: function!(c"xpc_dictionary_apply"),
            xpc_array_get_count: function!(c"xpc_array_get_count"),
            xpc_array_get_value: function!(c"xpc_array_get_value"),
            xpc_string_get_string_ptr: function!(c"xpc_string_get_string_ptr"),
            xpc_bool_get_value: function!(c"xpc_bool_get_value"),
            xpc_int64_get_value: function!(c"xpc_int64_get_value"),
            xpc_uint64_get_value: function!(c"xpc_uint64_get_value"),
            xpc_double_get_value: function!(c"xpc_double_get_value"),
            xpc_data_get_bytes_ptr: function!(c"xpc_data_get_bytes_ptr"),
            xpc_data_get_length: function!(c"xpc_data_get_length"),
            types: Types {
                dictionary: address(c"_xpc_type_dictionary")?,
                array: address(c"_xpc_type_array")?,
                string: address(c"_xpc_type_string")?,
                bool: address(c"_xpc_type_bool")?,
                int64: address(c"_xpc_type_int64")?,
                uint64: address(c"_xpc_type_uint64")?,
                double: address(c"_xpc_type_double")?,
                data: address(c"_xpc_type_data")?,
            },
        })
    }

    /// Appends an XPC object as JSON, or null if property lists don't have its type.
    fn push(&self, out: &mut Vec<u8>, object: Object) {
        // SAFETY: it is an XPC object.
        let kind = unsafe { (self.xpc_get_type)(object) } as usize;
        let Types {
            dictionary,
            array,
            string,
            bool,
            int64,
            uint64,
            double,
            data,
        } = self.types;
        let is = |other| kind == other;
        // SAFETY: each function is called with an object of its own type.
        unsafe {
            if is(dictionary) {
                self.push_dictionary(out, object);
            } else if is(array) {
                out.push(b'[');
                for index in 0..(self.xpc_array_get_count)(object) {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.push(out, (self.xpc_array_get_value)(object, index));
                }
                out.push(b']');
            } else if is(string) {
                push_c_string(out, (self.xpc_string_get_string_ptr)(object));
            } else if is(bool) {
                let bool = (self.xpc_bool_get_value)(object);
                out.extend_from_slice(bool.to_string().as_bytes());
            } else if is(int64) {
                out.extend_from_slice((self.xpc_int64_get_value)(object).to_string().as_bytes());
            } else if is(uint64) {
                out.extend_from_slice((self.xpc_uint64_get_value)(object).to_string().as_bytes());
            } else if is(double) {
                out.extend_from_slice((self.xpc_double_get_value)(object).to_string().as_bytes());
            } else if is(data) {
                let bytes = (self.xpc_data_get_bytes_ptr)(object);
                let length = (self.xpc_data_get_length)(object);
                let bytes = if bytes.is_null() {
                    &[]
                } else {
                    std::slice::from_raw_parts(bytes, length)
                };
                push_string(out, super::json::hex(bytes).as_bytes());
            } else {
                out.extend_from_slice(b"null");
            }
        }
    }

    /// # Safety
    /// The object must be a dictionary.
    unsafe fn push_dictionary(&self, out: &mut Vec<u8>, object: Object) {
        let mut first = true;
        out.push(b'{');
        let state = RefCell::new((&mut *out, &mut first));
        let each = RcBlock::new(|key: *const c_char, value: Object| -> u8 {
            let (out, first) = &mut *state.borrow_mut();
            if !std::mem::replace(*first, false) {
                out.push(b',');
            }
            // SAFETY: keys are C strings.
            unsafe { push_c_string(out, key) };
            out.push(b':');
            self.push(out, value);
            u8::from(true)
        });
        // SAFETY: it is a dictionary, and the block is called before this returns.
        unsafe { (self.xpc_dictionary_apply)(object, &each) };
        drop(each);
        out.push(b'}');
    }
}

/// # Safety
/// The pointer must be NULL or point to a C string.
unsafe fn push_c_string(out: &mut Vec<u8>, string: *const c_char) {
    let bytes = if string.is_null() {
        &[]
    } else {
        // SAFETY: the caller promises that it is a C string.
        unsafe { CStr::from_ptr(string) }.to_bytes()
    };
    push_string(out, bytes);
}
