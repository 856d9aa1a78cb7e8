import type { Formats } from "../formats.ts";
import type { AdminWords } from "./admin.en.ts";

export const words = (f: Formats): AdminWords => {
  const some = (n: number, one: string, other: string): string =>
    `${f.number(n)} ${f.plural(n) === "one" ? one : other}`;
  return {
    pageTitle: (name) => `${name} · administration FindMe`,
    title: "Administration",
    parts: "Parties de l’administration",
    tabs: {
      situation: "Situation",
      letters: "Messages abandonnés",
      photos: "Photos en échec",
      people: "Personnes",
      events: "Événements",
      audit: "Journal",
      cost: "Coûts et cache",
      logins: "Vos connexions",
    },
    studio: "Studio",
    grafana: "Grafana",
    notAdminTitle: "Ici, c’est pour l’administration",
    notAdmin: "Connectez-vous avec un compte d’administration.",
    signIn: "Se connecter",
    failedTitle: "Cela n’a pas pu être chargé",
    more: "Afficher plus",
    none: "Rien.",
    asOf: (moment) => `Au ${moment}, relu toutes les dix secondes.`,

    ago: (text) => `depuis ${text}`,
    seconds: (n) => some(n, "seconde", "secondes"),
    minutes: (n) => some(n, "minute", "minutes"),
    hours: (n) => some(n, "heure", "heures"),
    days: (n) => some(n, "jour", "jours"),

    calmTitle: "Rien n’est bloqué",
    calm: "Ce qui attend avance de soi-même.",
    stuckTitle: "Quelqu’un doit agir",
    stuck: {
      noRecognition: (n) =>
        `${some(n, "photo ou selfie attend", "photos et selfies attendent")} et aucun processus de reconnaissance n’est là`,
      partitions: (n) =>
        some(n, "partition n’a pas de responsable", "partitions n’ont pas de responsable"),
      photos: (n) =>
        some(n, "photo attend depuis trop longtemps", "photos attendent depuis trop longtemps"),
      selfies: (n) =>
        some(n, "selfie attend depuis trop longtemps", "selfies attendent depuis trop longtemps"),
      messages: (n) =>
        some(n, "message n’est pas pris par RabbitMQ", "messages ne sont pas pris par RabbitMQ"),
      mails: (n) => some(n, "e-mail attend d’être envoyé", "e-mails attendent d’être envoyés"),
      mailsDead: (n) =>
        some(n, "e-mail n’a pas pu être envoyé", "e-mails n’ont pas pu être envoyés"),
      erasures: (n) =>
        some(
          n,
          "visage n’est pas effacé au service payant",
          "visages ne sont pas effacés au service payant",
        ),
      letters: (n) => some(n, "message a été abandonné", "messages ont été abandonnés"),
    },
    todo: {
      noRecognition:
        "Démarrez la reconnaissance (docker compose up -d recognition) et lisez son journal.",
      partitions:
        "Elles sont reprises à la fin d’un bail. Si cela dure, redémarrez la reconnaissance.",
      photos:
        "Ajoutez des processus de reconnaissance : docker compose up -d --scale recognition=3.",
      selfies: "Lisez le journal de la reconnaissance : les selfies passent avant les photos.",
      messages: "Voyez si RabbitMQ répond ; entre-temps, les messages sont à l’abri dans la base.",
      mails: "Voyez si le serveur de messagerie répond (MAIL_HOST).",
      mailsDead: "Corrigez ce que dit le journal, puis renvoyez-les : findme mail retry.",
      erasures: "Voyez si le service payant répond.",
      letters: "Lisez pourquoi, corrigez, puis rejouez-les.",
    },
    replayAll: "Tout rejouer",
    analyseAgain: "Analyser à nouveau",
    analysedAgain: (n) => `${some(n, "photo est analysée", "photos sont analysées")} à nouveau.`,
    replayed: (n) =>
      some(n, "message est de nouveau en route.", "messages sont de nouveau en route."),
    look: "Voir",

    waitingTitle: "Ce qui attend",
    what: "Quoi",
    count: "Combien",
    oldest: "Le plus ancien attend",
    kinds: {
      photos_to_analyse: "Photos à analyser",
      photos_to_match: "Photos à comparer",
      selfies: "Selfies, par événement",
      messages: "Messages pour RabbitMQ",
      mails: "E-mails",
      erasures: "Visages à effacer au service payant",
    },
    failedPhotos: "Photos en échec",
    database: "Base de données sur son disque",
    replicasTitle: "Reconnaissance",
    replica: "Processus",
    engine: "Moteur",
    since: "Depuis",
    heard: "Entendu",
    heardNow: "maintenant",
    heardAgo: (text) => `il y a ${text}`,
    partitionsTitle: "Partitions",
    partition: "Partition",
    owner: "Responsable",
    epoch: "Changements de responsable",
    lease: "Bail",
    leaseLeft: (text) => `encore ${text}`,
    leaseOver: "terminé",
    nobody: "personne",

    queue: "File",
    reason: "Pourquoi",
    attempts: "Essais",
    died: "Abandonné",
    replay: "Rejouer",
    drop: "Oublier",
    dropTitle: "Oublier ce message ?",
    dropText: "Ce qu’il aurait fait ne sera pas fait. C’est définitif.",
    dropped: "Le message est oublié.",
    message: "Message",
    show: "Voir",

    file: "Fichier",
    event: "Événement",
    came: "Arrivée",
    photosHint: "Aucun invité n’est trouvé sur ces photos tant qu’elles ne sont pas analysées.",
    photosReasons: {
      broke:
        "L’analyse s’est interrompue à chaque fois. Vérifiez que la reconnaissance tourne, puis réanalysez.",
      changed: "Le fichier conservé est endommagé. Le photographe doit l’envoyer à nouveau.",
      unreadable:
        "Le fichier ne se lit pas comme une photo. Le photographe doit l’exporter à nouveau.",
    },
    photosCalmTitle: "Aucune photo en échec",
    photosCalm: "Celle qui ne peut être analysée est listée ici, avec la raison et quoi faire.",
    analyseAllAgain: "Tout réanalyser",

    name: "Nom",
    email: "Adresse e-mail",
    role: "Rôle",
    roles: { admin: "Administration", photographer: "Photographe" },
    eventsOf: "Événements",
    loginsOf: "Connexions",
    seen: "Dernière visite",
    never: "non connecté",
    locked: "bloqué",
    lock: "Bloquer",
    unlock: "Débloquer",
    logOut: "Déconnecter partout",
    loggedOut: (n) => some(n, "connexion est terminée.", "connexions sont terminées."),
    add: "Ajouter quelqu’un",
    addTitle: "Ajouter quelqu’un",
    password: "Premier mot de passe",
    passwordHint:
      "Huit caractères ou plus, avec une majuscule, un chiffre et un caractère spécial.",
    create: "Ajouter",
    created: (name) => `${name} peut se connecter.`,

    code: "Code",
    date: "Date",
    ends: "Fin",
    over: "terminé",
    photographer: "Photographe",
    open: "Ouvrir",

    at: "Quand",
    who: "Qui",
    action: "Ce qui a été fait",
    about: "À propos de",
    from: "Depuis",
    stranger: "personne de connu",

    callsTitle: "Appels du service payant",
    noCalls: "Aucun : les visages sont trouvés sur cette machine, sans coût.",
    operation: "Opération",
    calls: "Appels",
    cost: "Coût",
    cacheTitle: "Listes en cache de ce processus",
    entries: "Listes",
    hits: "Réponses du cache",
    hitRate: "Part",
    clear: "Vider le cache",
    cleared: "Le cache est vide. Il se remplit de lui-même.",

    device: "Appareil",
    begun: "Début",
    expires: "Fin d’elle-même",
    thisOne: "celle-ci",
    end: "Terminer",
    ended: "La connexion est terminée.",
  };
};
