//! XPC objects, as far as reading them goes: exec's entitlements are a dictionary.
//!
//! An object is made from JSON. For what JSON can't express there is an object with one member: `{"$data":"C0FFEE"}`,
//! `{"$date":1700000000000000000}` in nanoseconds. The references that the program holds are counted; for a while, an
//! object without any is known to be released.

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::blocks::Block;
use super::{Export, functions};
use crate::builder::hex;
use crate::es::misused;
use crate::json::Json;

/// A type, which is identified by its address.
#[repr(C)]
struct Type([usize; 4]);

macro_rules! types {
    ($($constant:ident $name:literal)*) => {
        $(static $constant: Type = Type([0; 4]);)*
        fn types() -> Vec<Export> {
            vec![$(($name, &raw const $constant as usize)),*]
        }
    };
}

types! {
    ARRAY "_xpc_type_array"
    BOOL "_xpc_type_bool"
    DATA "_xpc_type_data"
    DATE "_xpc_type_date"
    DICTIONARY "_xpc_type_dictionary"
    DOUBLE "_xpc_type_double"
    INT64 "_xpc_type_int64"
    NULL "_xpc_type_null"
    STRING "_xpc_type_string"
    UINT64 "_xpc_type_uint64"
}

/// An XPC object.
pub struct Object {
    /// The number of references: one from the container that it is in, the others from the program; 0 means released.
    references: AtomicUsize,
    /// True if it is in a container, which owns its memory.
    is_part: bool,
    value: Value,
}

/// The value of an object.
enum Value {
    Null,
    Bool(bool),
    /// A number that fits a signed integer.
    Int64(i64),
    /// A number that only fits an unsigned integer.
    Uint64(u64),
    Double(f64),
    String(CString),
    Data(Vec<u8>),
    /// Nanoseconds since 1970.
    Date(i64),
    Array(Vec<Object>),
    /// Values by name, in their order.
    Dictionary(Vec<(CString, Object)>),
}

/// Makes an object that is in a container.
fn object(json: &Json) -> Object {
    let string = |bytes: &[u8]| {
        let end = bytes
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(bytes.len());
        CString::new(&bytes[..end]).unwrap_or_default()
    };
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Int(number) => match i64::try_from(*number) {
            Ok(number) => Value::Int64(number),
            Err(_) => Value::Uint64(*number as u64),
        },
        Json::Float(number) => Value::Double(*number),
        Json::String(bytes) => Value::String(string(bytes)),
        Json::Array(items) => Value::Array(items.iter().map(object).collect()),
        Json::Object(members) => match members.as_slice() {
            [(name, value)] if name == "$data" => Value::Data(hex(value).unwrap_or_default()),
            [(name, Json::Int(value))] if name == "$date" => Value::Date(*value as i64),
            _ => {
                let member =
                    |(name, value): &(String, Json)| (string(name.as_bytes()), object(value));
                Value::Dictionary(members.iter().map(member).collect())
            }
        },
    };
    Object {
        references: AtomicUsize::new(1),
        is_part: true,
        value,
    }
}

/// The number of references that the program has to release.
static HELD: AtomicI64 = AtomicI64::new(0);

/// The number of references that the program has never released.
pub fn held() -> i64 {
    HELD.load(Ordering::Relaxed).max(0)
}

/// Makes an object that the program has to release.
pub fn give_away(json: &Json) -> *const Object {
    HELD.fetch_add(1, Ordering::Relaxed);
    Box::into_raw(Box::new(Object {
        is_part: false,
        ..object(json)
    }))
}

/// The number of released objects that stay in memory, so that later uses of them are found.
const QUARANTINE: usize = 1024;

/// Keeps a released object for a while, and frees the one that was kept the longest.
fn quarantine(object: *const Object) {
    static KEPT: Mutex<VecDeque<usize>> = Mutex::new(VecDeque::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_back(object as usize);
    if kept.len() > QUARANTINE
        && let Some(oldest) = kept.pop_front()
    {
        let oldest = oldest as *mut Object;
        // SAFETY: made by `give_away`, and released long ago; what is in it may have been retained.
        unsafe {
            if !(*oldest).value.is_used() {
                drop(Box::from_raw(oldest));
            }
        }
    }
}

/// The object that the program passes; `None` is misuse.
fn given<'a>(object: *const Object) -> Option<&'a Value> {
    live(object, "a function of XPC").map(|object| &object.value)
}

fn live<'a>(object: *const Object, function: &str) -> Option<&'a Object> {
    // SAFETY: made here, and kept for a while after its release; NULL is nothing.
    let found = unsafe { object.as_ref() };
    if found.is_none_or(|object| object.references.load(Ordering::Acquire) == 0) {
        let problem = found.map_or("NULL", |_| "released before");
        misused(format_args!("{function}: the object is {problem}"));
        return None;
    }
    found
}

extern "C" fn xpc_get_type(object: *const Object) -> *const c_void {
    let kind: &Type = match given(object) {
        None => return ptr::null(),
        Some(Value::Null) => &NULL,
        Some(Value::Bool(_)) => &BOOL,
        Some(Value::Int64(_)) => &INT64,
        Some(Value::Uint64(_)) => &UINT64,
        Some(Value::Double(_)) => &DOUBLE,
        Some(Value::String(_)) => &STRING,
        Some(Value::Data(_)) => &DATA,
        Some(Value::Date(_)) => &DATE,
        Some(Value::Array(_)) => &ARRAY,
        Some(Value::Dictionary(_)) => &DICTIONARY,
    };
    ptr::from_ref(kind).cast()
}

extern "C" fn xpc_retain(object: *const Object) -> *const Object {
    if let Some(live) = live(object, "xpc_retain") {
        live.references.fetch_add(1, Ordering::Relaxed);
        HELD.fetch_add(1, Ordering::Relaxed);
    }
    object
}

extern "C" fn xpc_release(object: *const Object) {
    let Some(live) = live(object, "xpc_release") else {
        return;
    };
    HELD.fetch_sub(1, Ordering::Relaxed);
    if live.references.fetch_sub(1, Ordering::AcqRel) == 1 {
        live.value.release_parts();
        if !live.is_part {
            quarantine(object);
        }
    }
}

impl Value {
    /// The objects in a container.
    fn parts(&self) -> Vec<&Object> {
        match self {
            Value::Array(items) => items.iter().collect(),
            Value::Dictionary(members) => members.iter().map(|(_, part)| part).collect(),
            _ => Vec::new(),
        }
    }

    /// Gives up the references of a container that is released.
    fn release_parts(&self) {
        for part in self.parts() {
            let one_less = |references: usize| references.checked_sub(1);
            let before =
                part.references
                    .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
            match before {
                Ok(1) => part.value.release_parts(),
                Ok(_) => {}
                Err(_) => misused(format_args!(
                    "xpc_release: an object in a container was released"
                )),
            }
        }
    }

    /// Returns true if a part of a released container has references.
    fn is_used(&self) -> bool {
        self.parts()
            .into_iter()
            .any(|part| part.references.load(Ordering::Acquire) > 0 || part.value.is_used())
    }
}

fn members<'a>(object: *const Object) -> &'a [(CString, Object)] {
    match given(object) {
        Some(Value::Dictionary(members)) => members,
        _ => &[],
    }
}

fn items<'a>(object: *const Object) -> &'a [Object] {
    match given(object) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

/// Calls a block for each value until it returns false.
fn apply<K>(block: *const Block, values: impl Iterator<Item = (K, *const Object)>) -> bool {
    type Applier<K> = extern "C" fn(*const Block, K, *const Object) -> bool;
    // SAFETY: the caller's block.
    let function = unsafe { (*block).invoke() };
    // SAFETY: the block is of the type that the function takes.
    let function = unsafe { std::mem::transmute::<*const c_void, Applier<K>>(function) };
    values
        .into_iter()
        .all(|(key, value)| function(block, key, value))
}

extern "C" fn xpc_dictionary_apply(dictionary: *const Object, block: *const Block) -> bool {
    let values = members(dictionary).iter();
    apply(
        block,
        values.map(|(name, value)| (name.as_ptr(), ptr::from_ref(value))),
    )
}

extern "C" fn xpc_dictionary_get_count(dictionary: *const Object) -> usize {
    members(dictionary).len()
}

extern "C" fn xpc_array_get_count(array: *const Object) -> usize {
    items(array).len()
}

extern "C" fn xpc_array_get_value(array: *const Object, index: usize) -> *const Object {
    items(array).get(index).map_or(ptr::null(), ptr::from_ref)
}

extern "C" fn xpc_string_get_string_ptr(string: *const Object) -> *const c_char {
    match given(string) {
        Some(Value::String(text)) => text.as_ptr(),
        _ => ptr::null(),
    }
}

extern "C" fn xpc_string_get_length(string: *const Object) -> usize {
    match given(string) {
        Some(Value::String(text)) => text.count_bytes(),
        _ => 0,
    }
}

extern "C" fn xpc_bool_get_value(object: *const Object) -> bool {
    matches!(given(object), Some(Value::Bool(true)))
}

extern "C" fn xpc_int64_get_value(object: *const Object) -> i64 {
    match given(object) {
        Some(Value::Int64(number)) => *number,
        _ => 0,
    }
}

extern "C" fn xpc_uint64_get_value(object: *const Object) -> u64 {
    match given(object) {
        Some(Value::Uint64(number)) => *number,
        _ => 0,
    }
}

extern "C" fn xpc_double_get_value(object: *const Object) -> f64 {
    match given(object) {
        Some(Value::Double(number)) => *number,
        _ => f64::NAN,
    }
}

fn data<'a>(object: *const Object) -> &'a [u8] {
    match given(object) {
        Some(Value::Data(bytes)) => bytes,
        _ => &[],
    }
}

extern "C" fn xpc_data_get_bytes_ptr(object: *const Object) -> *const u8 {
    data(object).as_ptr()
}

extern "C" fn xpc_data_get_length(object: *const Object) -> usize {
    data(object).len()
}

extern "C" fn xpc_date_get_value(object: *const Object) -> i64 {
    match given(object) {
        Some(Value::Date(nanoseconds)) => *nanoseconds,
        _ => 0,
    }
}

/// The functions and data of this area.
pub fn exports() -> Vec<Export> {
    let mut exports = types();
    exports.extend(functions![
        xpc_array_get_count,
        xpc_array_get_value,
        xpc_bool_get_value,
        xpc_data_get_bytes_ptr,
        xpc_data_get_length,
        xpc_date_get_value,
        xpc_dictionary_apply,
        xpc_dictionary_get_count,
        xpc_double_get_value,
        xpc_get_type,
        xpc_int64_get_value,
        xpc_release,
        xpc_retain,
        xpc_string_get_length,
        xpc_string_get_string_ptr,
        xpc_uint64_get_value,
    ]);
    exports
}
