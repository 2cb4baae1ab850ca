//! An encrypted file's pages, opened one by one as its key's holder can: free pages and the log too, which no query
//! shows. SQLCipher 4: AES-256-CBC per page, its vector and code in the last 80 bytes.

use crate::World;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use std::path::Path;

const PAGE: usize = 4_096;
const RESERVED: usize = 80;
const VECTOR: usize = 16;
/// The first page begins with the salt, in the clear.
const SALT: usize = 16;
/// SQLite's file format, section 4: the log's head and each frame's.
const LOG_HEAD: usize = 32;
const FRAME_HEAD: usize = 24;

impl World {
    /// Everything that lies in a device's file and its log, as plain bytes.
    pub fn device_pages(&mut self, device: usize) -> Vec<u8> {
        self.devices[device].close();
        let key = [device as u8 + 1; 32];
        let path = self.device_path(device);
        let mut plain = Vec::new();
        let file = std::fs::read(&path).expect("the file");
        for (number, page) in file.chunks_exact(PAGE).enumerate() {
            plain.extend(open_page(&key, page, number == 0));
        }
        let log = std::fs::read(log_of(&path)).unwrap_or_default();
        let frames = log.get(LOG_HEAD..).unwrap_or_default();
        for frame in frames.chunks_exact(FRAME_HEAD + PAGE) {
            let number = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
            plain.extend(open_page(&key, &frame[FRAME_HEAD..], number == 1));
        }
        assert!(
            plain.windows(6).any(|window| window == b"CREATE"),
            "the pages opened"
        );
        self.devices[device].reopen().expect("the store opens again");
        plain
    }
}

fn log_of(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn open_page(key: &[u8; 32], page: &[u8], is_first: bool) -> Vec<u8> {
    let end = PAGE - RESERVED;
    let vector: [u8; VECTOR] = page[end..end + VECTOR].try_into().expect("a vector");
    let sealed = &page[if is_first { SALT } else { 0 }..end];
    cbc::Decryptor::<aes::Aes256>::new(key.into(), &vector.into())
        .decrypt_padded_vec_mut::<NoPadding>(sealed)
        .expect("whole blocks")
}
