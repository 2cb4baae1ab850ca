//! What people read, in Portuguese and English: one table, so that no message lacks a language.

use vereda_core::error::Language;

macro_rules! messages {
    ($($name:ident = $english:literal, $portuguese:literal;)*) => {
        /// A message of the catalogue. `{}` stands for a number or a name.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Message { $($name,)* }

        impl Message {
            fn texts(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($english, $portuguese),)* }
            }
        }

        #[cfg(test)]
        const ALL: &[Message] = &[$(Message::$name,)*];
    };
}

messages! {
    ArgumentMissing = "Missing: {}.", "Falta: {}.";
    ArgumentUnknown = "There is no such argument here.", "Não há este argumento aqui.";
    ArgumentSuggested = "There is no such argument here. Perhaps: {}.", "Não há este argumento aqui. Talvez: {}.";
    ArgumentsConflict = "{} cannot be used together with {}.", "{} não pode ser usado junto com {}.";
    OneOfNeeded = "One of these is needed: {}.", "É preciso um destes: {}.";
    CommandUnknown = "There is no such command; see --help.", "Não há este comando; veja --help.";
    CommandSuggested = "There is no such command. Perhaps: {}.", "Não há este comando. Talvez: {}.";
    ValueMissing = "{} needs a value.", "{} precisa de um valor.";
    ValueOneOf = "{} takes one of: {}.", "{} aceita um destes: {}.";
    ValueNotUnderstood = "The value of {} cannot be understood.", "O valor de {} não pode ser entendido.";
    LogNotUnderstood = "--log takes off, error, warn, info, debug, trace, or TARGET=LEVEL with commas between.",
        "--log aceita off, error, warn, info, debug, trace, ou ALVO=NÍVEL separados por vírgulas.";
    HomeUnknown = "No home folder is known: give --home.", "Nenhuma pasta pessoal é conhecida: informe --home.";
    UnitUnknown = "--unit: none of this user's units is called so. They are: {}.",
        "--unit: nenhuma unidade deste usuário tem este nome. São elas: {}.";
    ListenFailed = "This address cannot be listened on; is another program using it?",
        "Não é possível escutar neste endereço; outro programa o usa?";
    CertificateUnfit = "The certificate or its key cannot be used.", "O certificado ou sua chave não podem ser usados.";
    NameEmpty = "The name is empty.", "O nome está vazio.";
    TenantUnknown = "There is no such tenant; `vereda admin tenant NAME` makes one.",
        "Não há esta organização; `vereda admin tenant NOME` cria uma.";
    TenantUnnamed = "There are several tenants: name one with --tenant.",
        "Há várias organizações: informe uma com --tenant.";
    TenantThere = "A tenant of this name is there already.", "Já há uma organização com este nome.";
    UnitThere = "A unit of this name is there already.", "Já há uma unidade com este nome.";
    IdTaken = "This name has another id, or the id another name.", "Este nome tem outro identificador, ou o identificador outro nome.";
    UnitNotThere = "There is no such unit.", "Não há esta unidade.";
    UserUnknown = "There is no such user.", "Não há este usuário.";
    NotTheirDuty = "This is not for the user's role; see docs/roles.md.", "Isto não cabe ao papel do usuário; veja docs/roles.md.";
    ReferenceUnknown = "There is no such row, or it is retired.", "Não há este item, ou ele foi retirado.";
    ReferenceInvalid = "A text is empty, too long, or not one line.", "Um texto está vazio, longo demais ou em mais de uma linha.";
    KindInvalid = "This is no definition of a kind x-org.name, or a later version is there.",
        "Isto não é a definição de um tipo x-org.nome, ou já há uma versão posterior.";
    QuarantineUnknown = "There is no such write in quarantine in this user's units.", "Não há esta gravação em quarentena nas unidades deste usuário.";
    NotInUnit = "The user does not work in this unit.", "O usuário não trabalha nesta unidade.";
    ScopeNotForRole = "The user's role is never granted this compartment; see docs/roles.md.",
        "O papel do usuário nunca recebe este compartimento; veja docs/roles.md.";
    ScopeUnknown = "There is no such grant; see `vereda admin scope list`.",
        "Não há esta concessão; veja `vereda admin scope list`.";
    DeviceUnknown = "There is no such device; see `vereda admin devices`.",
        "Não há este aparelho; veja `vereda admin devices`.";
    HintConfirmTime = "If it is meant so, repeat it with --confirm-time.", "Se é isso mesmo, repita com --confirm-time.";
    HintEnrol = "Ask an administrator for a code, then: vereda enrol --server URL --code CODE.",
        "Peça um código a um administrador e use: vereda enrol --server URL --code CÓDIGO.";
    HintPatients = "Those who are: vereda patient list.", "Os que estão: vereda patient list.";
    HintAuthority = "A code made with `admin enrol-code --tls-self` or `--tls-authority` names the server's own authority.",
        "Um código feito com `admin enrol-code --tls-self` ou `--tls-authority` indica a autoridade própria do servidor.";
    Done = "Done.", "Feito.";
    Saved = "Saved on this device.", "Salvo neste aparelho.";
    NothingChanged = "Nothing differs; nothing was written.", "Nada difere; nada foi gravado.";
    Enrolled = "This device now belongs to {}.", "Este aparelho agora pertence a {}.";
    SignedOut = "Signed out. What was not sent is kept.", "Sessão encerrada. O que não foi enviado está guardado.";
    Discarded = "Discarded; the reason is in the audit.", "Descartado; o motivo está na auditoria.";
    None = "Nothing.", "Nada.";
    More = "More: --after {}", "Continua: --after {}";
    Complete = "Everything the server had at the last contact.", "Tudo o que o servidor tinha no último contato.";
    Partial = "Not complete: the first read is not through.", "Incompleto: a primeira leitura não terminou.";
    StaleSince = "As of {}; there may be more by now.", "Situação de {}; pode haver mais.";
    Duplicates = "Likely the same person as:", "Provavelmente a mesma pessoa que:";
    OnlyAs = "{} is only for {}.", "{} só vale para {}.";
    DuplicatesLink = "If they are one person: `vereda patient link {} ID --reason …`",
        "Se são a mesma pessoa: `vereda patient link {} ID --reason …`";

    ColumnLinked = "Linked with", "Vinculado a";
    ColumnWhen = "When", "Quando";
    ColumnKind = "Kind", "Tipo";
    ColumnStatus = "Status", "Situação";
    ColumnAuthor = "Author", "Autor";
    ColumnText = "Text", "Texto";
    ColumnId = "Id", "Código";
    ColumnName = "Name", "Nome";
    ColumnBirth = "Born", "Nascimento";
    ColumnAtServer = "At the server", "No servidor";
    ColumnField = "Field", "Campo";
    ColumnValue = "Value", "Valor";
    ColumnReason = "Reason", "Motivo";
    ColumnAttempts = "Attempts", "Tentativas";
    ColumnWrite = "Write", "Gravação";
    ColumnPatient = "Patient", "Paciente";
    ColumnWhat = "What", "O quê";
    ColumnRole = "Role", "Papel";
    ColumnSpeciality = "Speciality", "Especialidade";
    ColumnBesides = "Granted", "Concedido";
    ColumnRetired = "Retired", "Retirado";
    ColumnRevoked = "Revoked", "Revogado";
    Yes = "yes", "sim";
    No = "no", "não";
    Shown = "shown", "mostrado";

    ColumnMeasure = "Measure", "Medida";
    ColumnUnit = "Unit", "Unidade";
    ColumnValues = "Values", "Valores";
    ColumnMean = "Mean", "Média";
    ColumnMovingAverage = "Moving average", "Média móvel";
    ColumnPercentile = "95th percentile", "Percentil 95";
    ColumnWeekday = "Day", "Dia";
    Monday = "Mon", "seg";
    Tuesday = "Tue", "ter";
    Wednesday = "Wed", "qua";
    Thursday = "Thu", "qui";
    Friday = "Fri", "sex";
    Saturday = "Sat", "sáb";
    Sunday = "Sun", "dom";
    StatisticsHours = "By weekday and hour, in the zone each was made in:",
        "Por dia da semana e hora, no fuso em que cada um foi feito:";
    StatisticsLeftOut = "Left out, as they are not one exact number: {}.",
        "Ficaram de fora por não serem um número exato: {}.";

    StatusPending = "Waiting to be sent", "Aguardando envio";
    StatusParked = "Parked", "Retidas";
    Ticked = "Seen.", "Visto.";
    StatusHeld = "With a supervisor", "Com um supervisor";
    HeldWaiting = "waits for a supervisor", "aguarda um supervisor";
    HeldReleased = "let in", "aceita";
    HeldDiscarded = "not let in", "não aceita";
    PlaceShared = "shared", "compartilhado";
    PlaceClaimed = "claimed", "buscado";
    PlaceMoved = "moved there", "mudou para lá";
    PlaceKept = "kept for a while", "mantido por um tempo";
    PlaceEnded = "ended", "encerrado";
    ColumnUntil = "Until", "Até";
    FoundNext = "Run `vereda sync`; then they can be opened.", "Rode `vereda sync`; depois podem ser abertos.";
    UnitOfAllUnknown = "--to: no unit of the organisation is called so. Known here: {}.",
        "--to: nenhuma unidade da organização tem este nome. Conhecidas aqui: {}.";
    StatusDrawer = "Refused, in the drawer", "Recusadas, na gaveta";
    StatusConflicts = "Conflicts", "Conflitos";
    StatusUndecided = "Entries to decide", "Registros a decidir";
    StatusPatients = "Patients", "Pacientes";
    StatusEntries = "Entries", "Registros";
    StatusLastSuccess = "Last contact", "Último contato";
    StatusUser = "User", "Usuário";
    StatusServer = "Server", "Servidor";
    StatusCompleteness = "Completeness", "Completude";
    StatusDurability = "Backup", "Cópia de segurança";
    Never = "never", "nunca";

    SyncDone = "Everything is sent and read.", "Tudo foi enviado e lido.";
    SyncHeld = "Of your writes {} wait for a supervisor; see `vereda inbox`.", "Das suas escritas, {} aguardam um supervisor; veja `vereda inbox`.";
    SyncHeldDecided = "A supervisor decided about {} of your writes; see `vereda inbox`.", "Um supervisor decidiu sobre {} das suas escritas; veja `vereda inbox`.";
    SyncLater = "Not now ({}); it goes on later. Nothing is lost.", "Agora não ({}); continua depois. Nada se perdeu.";
    SyncPerson = "Something waits for you ({}); see `vereda doctor`.", "Algo espera por você ({}); veja `vereda doctor`.";
    Applying = "applying", "aplicando";
    Asking = "asking the server", "consultando o servidor";
    Importing = "importing", "importando";
    Imported = "{} resources: {} entries new, {} changed, {} unchanged; {} skipped; {} problems.",
        "{} recursos: {} registros novos, {} alterados, {} iguais; {} ignorados; {} problemas.";

    DoctorWell = "All is well: nothing waits.", "Tudo certo: nada espera.";
    DoctorNotEnrolled = "This device is not enrolled or signed out. Ask an administrator for a code, then: vereda enrol.",
        "Este aparelho não está cadastrado ou saiu da sessão. Peça um código a um administrador e use: vereda enrol.";
    DoctorPending = "{} writes wait to be sent, the oldest for {} s.", "{} gravações aguardam envio, a mais antiga há {} s.";
    DoctorFailure = "The last try failed ({}). The next may go out in {} s; nothing is lost.",
        "A última tentativa falhou ({}). A próxima pode sair em {} s; nada se perdeu.";
    DoctorHalted = "The server no longer takes this device's credential, or wants a newer app: sign in again or update.",
        "O servidor não aceita mais a credencial deste aparelho ou pede um aplicativo mais novo: entre de novo ou atualize.";
    DoctorParked = "{} writes cannot be sent as they are: see `vereda outbox`.",
        "{} gravações não podem ser enviadas como estão: veja `vereda outbox`.";
    DoctorStuck = "{} writes were tried again and again without success: see `vereda outbox`.",
        "{} gravações foram tentadas repetidas vezes sem sucesso: veja `vereda outbox`.";
    DoctorDrawer = "The server refused {} writes. They are kept: see `vereda drawer list`.",
        "O servidor recusou {} gravações. Elas estão guardadas: veja `vereda drawer list`.";
    DoctorConflicts = "{} conflicts wait for a decision: see `vereda conflicts list`.",
        "{} conflitos esperam decisão: veja `vereda conflicts list`.";
    DoctorUndecided = "{} entries have late edits or two final texts: see `vereda inbox`.",
        "{} registros têm edições tardias ou dois textos finais: veja `vereda inbox`.";
    DoctorOutboxFull = "The queue is {} % full: bring this device to a network.",
        "A fila está {} % cheia: leve este aparelho a uma rede.";
    DoctorQuarantined = "{} chart files are damaged and set aside; the rest works.",
        "{} arquivos de prontuário estão danificados e isolados; o resto funciona.";
    DoctorHeldWaiting = "{} writes of yours wait for a supervisor at the server: they came from outside your scope; see `vereda inbox`.",
        "{} escritas suas aguardam um supervisor no servidor: vieram de fora do seu alcance; veja `vereda inbox`.";
    DoctorHeldDecided = "A supervisor decided about {} writes of yours: see `vereda inbox`, and `vereda inbox tick` when you have.",
        "Um supervisor decidiu sobre {} escritas suas: veja `vereda inbox` e, depois de ver, `vereda inbox tick`.";
    DoctorUnread = "{} items of a newer version are kept unread: update the app.",
        "{} itens de uma versão mais nova estão guardados sem leitura: atualize o aplicativo.";
    DoctorUnapplied = "{} items do not fit what is here; the rest goes on. Synchronise to fetch their documents whole.",
        "{} itens não se encaixam no que há aqui; o resto continua. Sincronize para buscar seus documentos inteiros.";
    DoctorClock = "This device's clock is {} s off the server's.", "O relógio deste aparelho está {} s fora do servidor.";
    DoctorNoScope = "Your role and units let you read no patient's data: ask who administers the server if that is wrong.",
        "Seu perfil e suas unidades não permitem ler dados de pacientes: se isto estiver errado, fale com quem administra o servidor.";
    DoctorPartial = "The first read of the history is not through: lists may lack entries.",
        "A primeira leitura do histórico não terminou: pode faltar algo nas listas.";
    DoctorAuditBroken = "The audit's chain is broken at record {}: this file was tampered with or damaged.",
        "A cadeia da auditoria está quebrada no registro {}: este arquivo foi adulterado ou danificado.";
    DoctorNoBackup = "The server makes no copies of its data: only its disk and the devices hold it. Tell who runs it.",
        "O servidor não faz cópias dos dados: só o disco dele e os aparelhos os têm. Avise quem o mantém.";
    DoctorTailFull = "This device holds as much for a server without copies as it can ({} MiB): the oldest goes.",
        "Este aparelho guarda o máximo possível para um servidor sem cópias ({} MiB): o mais antigo sai.";
    DoctorGivingBack = "The server was restored; it is getting back what it lost ({} streams to go).",
        "O servidor foi restaurado e está recebendo de volta o que perdeu (faltam {} fluxos).";
    DoctorNotTaken = "A restored server did not take back {} items. They are still on this device: tell who runs it.",
        "Um servidor restaurado não aceitou {} itens de volta. Eles continuam neste aparelho: avise quem o mantém.";
    Copied = "Copied and checked: {}", "Copiado e verificado: {}";
    StoreWhole = "{} items in {} streams, {} documents: everything fits.",
        "{} itens em {} fluxos, {} documentos: tudo confere.";
    StoreNotWhole = "{} things do not fit:", "{} coisas não conferem:";
    Restored = "The store is restored. Its newest item was received at {}, {} minutes ago.",
        "Os dados foram restaurados. O item mais novo foi recebido em {}, há {} minutos.";
    RestoredEmpty = "The store is restored. It holds no items yet.",
        "Os dados foram restaurados. Ainda não há itens neles.";
    RestoredNext = "Start the server. Each device gives back what it wrote or read since, at its next contact; devices and users added since must be added again.",
        "Inicie o servidor. Cada aparelho devolve o que gravou ou leu desde então, no próximo contato; aparelhos e usuários criados depois precisam ser criados de novo.";
    RestoredAside = "What stood there before lies in {}.", "O que havia antes está em {}.";
    VerifyFileWhole = "The file is whole.", "O arquivo está íntegro.";
    VerifyFileDamaged = "The file is damaged: keep a copy of it, and sign in on another device.",
        "O arquivo está danificado: guarde uma cópia dele e entre em outro aparelho.";
    VerifyStore = "Checked here: {} documents and their rows, {} writes in the queue, {} records of the audit.",
        "Conferido aqui: {} documentos e suas linhas, {} gravações na fila, {} registros da auditoria.";
    VerifyAwaited = "{} documents are still to come; only their rows are here.",
        "{} documentos ainda estão por vir; só as linhas deles estão aqui.";
    VerifyDamaged = "{} documents do not open and are set aside.", "{} documentos não abrem e foram separados.";
    VerifyRows = "{} rows are not as their document has them.", "{} linhas não estão como em seu documento.";
    VerifyRowsRepaired = "{} rows were not as their document has them; they were written anew.",
        "{} linhas não estavam como em seu documento; foram escritas de novo.";
    VerifyWrites = "{} writes in the queue are not as they were saved.", "{} gravações na fila não estão como foram salvas.";
    VerifyCompared = "Compared with the server: {} streams, {} documents and records.",
        "Comparado com o servidor: {} fluxos, {} documentos e cadastros.";
    VerifyNotCompared = "The server's part was not compared ({}).", "A parte do servidor não foi comparada ({}).";
    VerifySkipped = "{} streams could not be compared now: try again.", "{} fluxos não puderam ser comparados agora: tente de novo.";
    VerifyFetched = "{} documents and records differed; they came whole from the server.",
        "{} documentos e cadastros diferiam; vieram inteiros do servidor.";
    VerifyDiffers = "{} documents and records differ from the server's.", "{} documentos e cadastros diferem dos do servidor.";
    VerifyOnlyHere = "{} documents and records hold here what the server lacks. Nothing of it was taken away: tell who runs it.",
        "{} documentos e cadastros têm aqui o que falta ao servidor. Nada foi apagado: avise quem o administra.";
    VerifyWell = "All of it fits.", "Tudo confere.";
    VerifyRepair = "Repair it with: vereda verify --repair.", "Repare com: vereda verify --repair.";
    VerifyStands = "Not all of it could be repaired: tell who runs the server.", "Nem tudo pôde ser reparado: avise quem administra o servidor.";
    DoctorDiffers = "{} documents and records differ from the server's: see `vereda verify`.",
        "{} documentos e cadastros diferem dos do servidor: veja `vereda verify`.";
    StatusVerified = "Compared with the server", "Comparado com o servidor";
    AuditWhole = "The chain is whole: {} records the server has not received yet, {} that it has.",
        "A cadeia está íntegra: {} registros que o servidor ainda não recebeu, {} que já recebeu.";
}

/// The catalogue in one language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words(Language);

impl Words {
    pub(crate) fn new(language: Language) -> Self {
        Self(language)
    }

    /// The message.
    pub(crate) fn of(self, message: Message) -> &'static str {
        let (english, portuguese) = message.texts();
        match self.0 {
            Language::English => english,
            Language::Portuguese => portuguese,
        }
    }

    /// The message with its gaps filled, in order.
    pub(crate) fn with(self, message: Message, gaps: &[&dyn std::fmt::Display]) -> String {
        let mut pieces = self.of(message).split("{}");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for (index, piece) in pieces.enumerate() {
            if let Some(gap) = gaps.get(index) {
                text.push_str(&gap.to_string());
            }
            text.push_str(piece);
        }
        text
    }
}

/// The language of `--lang` or of the environment (`LC_ALL`, `LC_MESSAGES`, `LANG`): Portuguese or English.
pub(crate) fn language(asked: Option<&str>) -> Language {
    let environment = || {
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    };
    match asked.map(str::to_owned).or_else(environment) {
        Some(name) if name.to_ascii_lowercase().starts_with("pt") => Language::Portuguese,
        _ => Language::English,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_the_same_gaps_in_both_languages() {
        for message in ALL {
            let (english, portuguese) = message.texts();
            assert_eq!(
                english.matches("{}").count(),
                portuguese.matches("{}").count(),
                "{message:?}"
            );
        }
    }

    #[test]
    fn gaps_are_filled_in_order() {
        let words = Words::new(Language::English);
        assert_eq!(
            words.with(Message::DoctorPending, &[&2, &30]),
            "2 writes wait to be sent, the oldest for 30 s."
        );
    }
}
