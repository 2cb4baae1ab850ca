//! Every code, with what people read. One table, so that no code lacks a text in either language.

/// A language of the message catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// English.
    English,
    /// Portuguese of Brazil.
    Portuguese,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $english:literal, $portuguese:literal;)*) => {
        /// A stable code: it never changes its meaning, and apps may match on it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* #[doc = $english] $name,)* }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as apps and the wire see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The code written so; `None` when this version does not know it.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($code => Some(Self::$name),)* _ => None }
            }

            /// What a person reads.
            pub fn message(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$name, Language::English) => $english,
                      (Self::$name, Language::Portuguese) => $portuguese,)*
                }
            }
        }
    };
}

codes! {
    // What a person typed.
    UnknownPatient = "unknown_patient", "This patient is not on this device.", "Este paciente não está neste aparelho.";
    UnknownEntry = "unknown_entry", "This entry is not on this device.", "Este registro não está neste aparelho.";
    UnknownConflict = "unknown_conflict", "This conflict is not open.", "Este conflito não está aberto.";
    UnknownWrite = "unknown_write", "No such write is waiting or refused.", "Nenhuma gravação pendente ou recusada com este código.";
    TextEmpty = "text_empty", "The text is empty.", "O texto está vazio.";
    TextTooLong = "text_too_long", "The text is longer than 32,768 characters; nothing was saved.", "O texto passa de 32.768 caracteres; nada foi salvo.";
    BodyTooLarge = "body_too_large", "The structured part is larger than 64 KiB; nothing was saved.", "A parte estruturada passa de 64 KiB; nada foi salvo.";
    BodyInvalid = "body_invalid", "The structured part does not fit its kind; nothing was saved.", "A parte estruturada não corresponde ao tipo; nada foi salvo.";
    JsonMalformed = "json_malformed", "This is not valid JSON.", "Este JSON não é válido.";
    KindUnknown = "kind_unknown", "This kind of entry is not registered.", "Este tipo de registro não é conhecido.";
    NotADate = "not_a_date", "This is not a date between 1900 and 2200.", "Esta não é uma data entre 1900 e 2200.";
    OccurredInFuture = "occurred_in_future", "This time lies in the future. Confirm it or correct it.", "Este horário está no futuro. Confirme ou corrija.";
    CpfInvalid = "cpf_invalid", "The CPF's check digits do not match.", "Os dígitos do CPF não conferem.";
    CnsInvalid = "cns_invalid", "The CNS number is not valid.", "O número do CNS não é válido.";
    IdentifierInvalid = "identifier_invalid", "The identifier is not valid.", "O identificador não é válido.";
    BirthDateInvalid = "birth_date_invalid", "The date of birth is not valid.", "A data de nascimento não é válida.";
    NameEmpty = "name_empty", "The name is empty.", "O nome está vazio.";
    NotADraft = "not_a_draft", "This entry is not a draft.", "Este registro não é um rascunho.";
    AlreadyRetracted = "already_retracted", "This entry was already marked as entered in error.", "Este registro já foi marcado como lançado por engano.";
    ContentChanged = "content_changed", "What was shown has changed meanwhile. Look again; nothing was saved.", "O que foi mostrado mudou nesse meio-tempo. Veja de novo; nada foi salvo.";
    ReasonRequired = "reason_required", "A reason is needed.", "É preciso informar o motivo.";
    FieldInvalid = "field_invalid", "A field is not valid; nothing was saved.", "Um campo não é válido; nada foi salvo.";
    CursorInvalid = "cursor_invalid", "The page's cursor is not valid.", "O cursor da página não é válido.";
    ViewClosed = "view_closed", "The patient's chart was closed. Open it again.", "O prontuário foi fechado. Abra-o de novo.";
    PurposeRequired = "purpose_required", "Opening a patient needs a purpose.", "Abrir um paciente exige uma finalidade.";

    // The store.
    StoreLocked = "store_locked", "The key does not open this store.", "A chave não abre este armazenamento.";
    StoreTooNew = "store_too_new", "A newer version wrote this store. Update the app.", "Uma versão mais nova gravou estes dados. Atualize o aplicativo.";
    StoreDamaged = "store_damaged", "A part of the store is damaged; the rest works.", "Uma parte dos dados está danificada; o resto funciona.";
    StoreExists = "store_exists", "A store is there already; nothing was changed.", "Já existem dados ali; nada foi alterado.";
    StoreInUse = "store_in_use", "A server has this store open; nothing was changed.", "Um servidor está com esses dados abertos; nada foi alterado.";
    StoreUnavailable = "store_unavailable", "The store cannot be reached.", "O armazenamento não pode ser acessado.";
    DiskFull = "disk_full", "The device's storage is full; nothing was changed.", "O armazenamento do aparelho está cheio; nada foi alterado.";
    OutboxFull = "outbox_full", "Too many writes wait to be sent; nothing was saved.", "Há gravações demais esperando envio; nada foi salvo.";
    DocumentQuarantined = "document_quarantined", "This chart's file is damaged and was set aside; the rest works.", "O arquivo deste prontuário está danificado e foi isolado; o resto funciona.";
    DocumentAwaited = "document_awaited", "This chart is still on its way to this device; it can be read, and edited in a moment.", "Este prontuário ainda está chegando a este aparelho; pode ser lido, e editado em instantes.";
    KeyFileUnusable = "key_file_unusable", "The key file cannot be used.", "O arquivo de chave não pode ser usado.";
    Closed = "closed", "The store was closed.", "O armazenamento foi fechado.";

    // Contact with the server.
    NotEnrolled = "not_enrolled", "This device is not enrolled.", "Este aparelho não está cadastrado.";
    AlreadyEnrolled = "already_enrolled", "This device is already enrolled.", "Este aparelho já está cadastrado.";
    EnrolmentCodeInvalid = "enrolment_code_invalid", "The enrolment code is wrong, used or expired.", "O código de cadastro está errado, usado ou vencido.";
    Unauthenticated = "unauthenticated", "The server does not know this device's credential. Unsent writes are kept.", "O servidor não reconhece a credencial deste aparelho. O que não foi enviado está guardado.";
    DeviceRevoked = "device_revoked", "This device was revoked. Unsent writes are kept.", "Este aparelho foi revogado. O que não foi enviado está guardado.";
    OutOfScope = "out_of_scope", "Not found, or not yours to see.", "Não encontrado, ou fora do seu acesso.";
    AddressRefused = "address_refused", "Only https is allowed, or http to this very machine.", "Só é permitido https, ou http para esta própria máquina.";
    NoContact = "no_contact", "The server could not be reached.", "Não foi possível contatar o servidor.";
    NotOurServer = "not_our_server", "The answer did not come from the server (a portal or proxy?). Nothing was marked as sent.", "A resposta não veio do servidor (um portal ou proxy?). Nada foi marcado como enviado.";
    ServerKeyMismatch = "server_key_mismatch", "The server's signature is not the one pinned at enrolment.", "A assinatura do servidor não é a fixada no cadastro.";
    SyncElsewhere = "sync_elsewhere", "Another window or program is synchronising this store.", "Outra janela ou programa está sincronizando estes dados.";
    ServerBusy = "server_busy", "The server asks to wait.", "O servidor pede para esperar.";
    ServerFailed = "server_failed", "The server failed; it will be tried again.", "O servidor falhou; haverá nova tentativa.";
    ProtocolUnsupported = "protocol_unsupported", "The server and this app do not speak the same version.", "O servidor e este aplicativo não falam a mesma versão.";
    RequestMalformed = "request_malformed", "The request is not valid.", "A requisição não é válida.";
    TooLarge = "too_large", "Too large to be sent.", "Grande demais para enviar.";
    NotFound = "not_found", "Not found, or not yours to see.", "Não encontrado, ou fora do seu acesso.";

    // Why the server refused or holds a write.
    Reused = "idempotency_key_reused", "The same id came with another content; nothing was changed.", "O mesmo código veio com outro conteúdo; nada foi alterado.";
    NeedsRefused = "needs_refused", "What this depends on was refused.", "Aquilo de que isto depende foi recusado.";
    WaitingFor = "waiting_for", "It waits for another write.", "Aguarda outra gravação.";
    HistoryChanged = "history_changed", "The server was restored; first it gets back what it lost.", "O servidor foi restaurado; primeiro ele recebe de volta o que perdeu.";
    TailRefused = "tail_refused", "What was given back is not what the server signed; nothing was changed.", "O que foi devolvido não é o que o servidor assinou; nada foi alterado.";
    MissingDependency = "missing_dependency", "The server lacks what this builds on.", "Falta ao servidor aquilo em que isto se apoia.";
    EncodingMismatch = "encoding_mismatch", "The server computes another change from this write.", "O servidor calcula outra alteração a partir desta gravação.";
    Quarantined = "quarantined", "It came from outside your present scope; the server holds it until a supervisor decides.", "Veio de fora do seu acesso atual; o servidor a guarda até um supervisor decidir.";
    AppTooOld = "app_too_old", "Update the app to send this.", "Atualize o aplicativo para enviar isto.";
    PolicyRefused = "policy_refused", "This may not be changed so.", "Isto não pode ser alterado assim.";
    GateRefused = "gate_refused", "The bytes are not an honest change.", "Os bytes não são uma alteração legítima.";
    Internal = "internal", "A fault of ours; nothing was lost.", "Uma falha nossa; nada foi perdido.";

    // Imports.
    FhirMalformed = "fhir_malformed", "This is not a FHIR R4 resource.", "Isto não é um recurso FHIR R4.";
    FhirReference = "fhir_reference", "The resource points to something that is not there.", "O recurso aponta para algo que não existe.";
    FileUnreadable = "file_unreadable", "The file cannot be read.", "O arquivo não pode ser lido.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_once_and_read_back() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} twice", code.as_str());
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert_ne!(
                code.message(Language::English),
                code.message(Language::Portuguese)
            );
        }
    }
}
