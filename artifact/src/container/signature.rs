//! Who vouches for the artifacts in a container: Ed25519 signatures of its index.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::pkcs8::EncodePublicKey as _;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, spki::der::pem};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::header::{Header, RawSignature};
use super::{Container, ContainerError, MAX_SIGNATURES, VERSION, hex};

/// What stands before the digest that is signed, so that a signature means nothing elsewhere.
const DOMAIN: &[u8] = b"precast container signature\0";

/// The public half of a key: what whoever runs artifacts trusts.
///
/// Its text is PEM as `openssl pkey -pubout` writes it; 64 hexadecimal digits are read, too, and
/// are what `{}` prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// The secret half of a key: what signs artifacts.
///
/// Its text is PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it. It is wiped from
/// memory when it is dropped.
pub struct SecretKey(SigningKey);

/// A text or bytes that are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a public key.
    #[error(
        "not an Ed25519 public key: it should be PEM (`BEGIN PUBLIC KEY`) or 64 hexadecimal digits"
    )]
    Public,
    /// Not a secret key.
    #[error("not an Ed25519 secret key: it should be PKCS#8 PEM (`BEGIN PRIVATE KEY`)")]
    Secret,
    /// The other half of a key.
    #[error("this is a secret key; the public key belongs here")]
    SecretForPublic,
}

/// Why nothing that is trusted vouches for a container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature.
    #[error("it is not signed")]
    Missing,
    /// None of the keys that signed it is trusted.
    #[error("it is signed by {}, which is not trusted", .0.join(" and "))]
    Untrusted(Vec<String>),
    /// A trusted key's signature is not of this index.
    #[error("the signature by {0} is not of these contents: it was changed after it was signed")]
    Invalid(String),
}

impl Container {
    /// Which of these keys vouches for the container: the first one whose signature is valid. Then
    /// each artifact whose digest is that of the index is what was signed.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn verify(&self, trusted: &[PublicKey]) -> Result<PublicKey, SignatureError> {
        if self.signatures.is_empty() {
            return Err(SignatureError::Missing);
        }
        let message = message(&self.index_digest, self.len);
        let mut invalid = None;
        for raw in &self.signatures {
            let Some(key) = trusted.iter().find(|key| key.to_bytes() == raw.key) else { continue };
            match key.0.verify_strict(&message, &Signature::from_bytes(&raw.signature)) {
                Ok(()) => return Ok(*key),
                Err(_) => invalid = Some(SignatureError::Invalid(key.to_string())),
            }
        }
        Err(invalid.unwrap_or_else(|| SignatureError::Untrusted(self.signed_by())))
    }

    /// Adds a signature to the container that `file` is, or renews it.
    ///
    /// # Errors
    ///
    /// When it is none, and when it has no room for another signature.
    pub fn sign(file: &mut [u8], key: &SecretKey) -> Result<(), ContainerError> {
        let container = Container::parse(file, file.len() as u64)?;
        let mut header = Header::parse(file)?;
        let public = key.public().to_bytes();
        let signature = key.0.sign(&message(&container.index_digest, container.len)).to_bytes();
        header.signatures.retain(|signature| signature.key != public);
        if header.signatures.len() == MAX_SIGNATURES {
            return Err(ContainerError::Full("signatures"));
        }
        header.signatures.push(RawSignature { key: public, signature });
        file[..Header::SIZE].copy_from_slice(&header.encode());
        Ok(())
    }
}

/// What is signed. The digest covers all that the index says of each artifact, the digests of these
/// included; those cover their headers, which hold target and settings, and all of their sections.
fn message(index_digest: &[u8; 32], file_len: u64) -> Vec<u8> {
    [DOMAIN, &VERSION.to_le_bytes(), &file_len.to_le_bytes(), index_digest].concat()
}

impl PublicKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    ///
    /// When they are no key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PublicKey, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Public)?;
        // A weak key's signatures fit many messages.
        if key.is_weak() { Err(KeyError::Public) } else { Ok(PublicKey(key)) }
    }

    /// The key's 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The key as PEM.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(pem::LineEnding::LF).expect("a key can be encoded")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        let text = text.trim();
        if text.starts_with("-----BEGIN PRIVATE KEY") {
            return Err(KeyError::SecretForPublic);
        }
        if text.starts_with('-') {
            let key = VerifyingKey::from_public_key_pem(text).map_err(|_| KeyError::Public)?;
            return PublicKey::from_bytes(&key.to_bytes());
        }
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(KeyError::Public);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| (digit as char).to_digit(16).unwrap_or(0) as u8;
            *byte = digit(pair[0]) << 4 | digit(pair[1]);
        }
        PublicKey::from_bytes(&bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl SecretKey {
    /// A key from 32 bytes that must be random: from the system's generator.
    pub fn from_bytes(bytes: &[u8; 32]) -> SecretKey {
        SecretKey(SigningKey::from_bytes(bytes))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The key as PKCS#8 PEM. Whoever has it can sign.
    pub fn to_pem(&self) -> String {
        self.0.to_pkcs8_pem(pem::LineEnding::LF).expect("a key can be encoded").as_str().to_owned()
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<SecretKey, KeyError> {
        SigningKey::from_pkcs8_pem(text.trim()).map(SecretKey).map_err(|_| KeyError::Secret)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_as_text() {
        let secret = SecretKey::from_bytes(&[7; 32]);
        let again: SecretKey = secret.to_pem().parse().unwrap();
        assert_eq!(again.public(), secret.public());
        let public = secret.public();
        assert_eq!(public.to_pem().parse(), Ok(public));
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(secret.to_pem().parse::<PublicKey>(), Err(KeyError::SecretForPublic));
        assert_eq!(public.to_pem().parse::<SecretKey>().unwrap_err(), KeyError::Secret);
        for wrong in ["", "12", &"g".repeat(64), "-----BEGIN PUBLIC KEY-----", &"0".repeat(64)] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(KeyError::Public), "{wrong}");
        }
    }

    /// Made by `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout`.
    #[test]
    fn keys_made_by_openssl_are_read() {
        let secret: SecretKey = OPENSSL_SECRET.parse().unwrap();
        assert_eq!(OPENSSL_PUBLIC.parse(), Ok(secret.public()));
    }

    const OPENSSL_SECRET: &str = "\
        -----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJjUdAH85onfKXfKlJeT3F+P50FWNnUA2aDWL2QPm5xl\n\
        -----END PRIVATE KEY-----";
    const OPENSSL_PUBLIC: &str = "\
        -----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAib4tewKlaADwvBlyPjvyq+jeJaskVNoTqhW+bXWnqrM=\n\
        -----END PUBLIC KEY-----";
}
