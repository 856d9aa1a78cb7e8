import type { Formats } from "../formats.ts";
import type { UploadWords } from "./upload.en.ts";

export const words = (f: Formats): UploadWords => {
  const some = (n: number, one: string, other: string): string =>
    `${f.number(n)} ${f.plural(n) === "one" ? one : other}`;
  return {
    title: "Envoi",
    dropTitle: "Déposez ici des photos ou des dossiers entiers",
    drop: "N’importe où dans cette fenêtre. La même photo n’est jamais prise deux fois.",
    dropTo: (name) => `Lâchez : elles vont à ${name}`,
    files: "Choisir des fichiers",
    folder: "Choisir un dossier",
    finding: "Nous parcourons le dossier",
    ended:
      "Cet événement est terminé : il ne prend plus de photos. Prolongez-le dans ses réglages.",

    tray: {
      label: "Envoi",
      sending: (done, all) => `${f.number(done)} sur ${some(all, "fichier", "fichiers")}`,
      pace: (speed) => `${f.size(speed)}/s`,
      left: (seconds) => `encore ${f.duration(seconds)}`,
      doneTitle: (n) => some(n, "photo est arrivée", "photos sont arrivées"),
      nothing: "Rien de nouveau : l’événement les avait toutes",
      duplicate: (n) => some(n, "y était déjà", "y étaient déjà"),
      failed: (n) =>
        some(n, "fichier n’a pas pu être envoyé", "fichiers n’ont pas pu être envoyés"),
      leftOut: ({ raw, strangeRaw, unsureRaw, video, aside }) =>
        [
          raw
            ? `${some(raw, "fichier RAW laissé", "fichiers RAW laissés")} de côté : leur JPEG est envoyé`
            : "",
          strangeRaw
            ? `${some(strangeRaw, "fichier RAW", "fichiers RAW")} d’autres formats non envoyés : exportez-les en JPEG`
            : "",
          unsureRaw
            ? `${some(unsureRaw, "fichier RAW", "fichiers RAW")} non envoyés : le dossier a disparu, choisissez-le à nouveau`
            : "",
          video ? `${some(video, "vidéo laissée", "vidéos laissées")} de côté` : "",
          aside ? `${some(aside, "autre fichier laissé", "autres fichiers laissés")} de côté` : "",
        ].filter(Boolean),
      pause: "Pause",
      paused: "En pause",
      resume: "Continuer",
      now: "Essayer maintenant",
      close: "C’est fait, fermer",
      stop: "Arrêter et oublier",
      stopTitle: "Arrêter l’envoi ?",
      stopText: (n) =>
        `${some(n, "fichier n’est pas encore envoyé", "fichiers ne sont pas encore envoyés")}. Ce qui est arrivé reste dans l’événement.`,
      more: "Montrer les fichiers",
      less: "Cacher les fichiers",
      list: "Fichiers",
      again: "Réessayer",
      againAll: "Tout réessayer",
      missingTitle: (n) =>
        some(n, "fichier reste de la dernière fois", "fichiers restent de la dernière fois"),
      missing: "Choisissez ou déposez à nouveau le même dossier : l’envoi reprend où il en était.",
      allow: "Continuer avec le dossier",
    },

    status: {
      missing: "pas sous la main",
      waiting: "attend",
      ready: "vient ensuite",
      sending: (share) => `en cours, ${share}`,
      done: "arrivée",
      duplicate: "y était déjà",
      failed: "en échec",
    },

    halt: {
      network: "La connexion s’est rompue. Rien n’est perdu : l’envoi reprend quand elle revient.",
      busy: "Le serveur a beaucoup à faire. L’envoi reprend dans un instant.",
      full: "Le disque du serveur est plein. Dites-le à qui gère ce site ; l’envoi reprend quand il y a de la place.",
      signedOut: "Vous êtes déconnecté. Reconnectez-vous, et l’envoi reprend.",
      gone: "Cet événement ne prend plus de photos : il est terminé, ou à un autre photographe.",
      manyPhotos:
        "L’événement a autant de photos qu’il peut en avoir. Supprimez-en, ou créez un autre événement.",
    },
    signIn: "Se reconnecter",

    reason: {
      large: "Fichier trop grand. Exportez-le en plus petit.",
      empty: "Le fichier est vide. Copiez-le à nouveau de la carte.",
      unreadable:
        "Le fichier ne peut pas être lu. La carte est-elle encore là, et le fichier à sa place ?",
      refused: "Le serveur ne prend pas ce fichier.",
      server: "Le serveur a échoué plusieurs fois à ce fichier. Réessayez plus tard.",
    },

    ways: {
      title: "Depuis des appareils, des dossiers et des programmes",
      text: "Ils envoient par une clé au lieu de votre mot de passe. Une clé ne sert qu’à l’envoi, et se révoque.",
      keys: "Clés d’envoi",
      key: "Clé d’envoi",
      keyName: "Appareil 1",
      makeKey: "Créer une clé",
      keyMade: (name) =>
        `La clé de ${name}. Copiez-la maintenant : elle n’est plus montrée ensuite.`,
      keyOfAll: "pour tous vos événements",
      keyUsed: (moment) => `utilisée le ${moment}`,
      keyUnused: "pas encore utilisée",
      keysNobody: "Les clés sont à un photographe : donnez-en d’abord un à l’événement.",
      revoke: "Révoquer",
      revokeNamed: (name) => `Révoquer la clé de ${name}`,
      revokeTitle: (name) => `Révoquer la clé de ${name} ?`,
      revokeText: "Ce qui envoie avec elle est refusé désormais. Ce qui est arrivé reste.",
      camera: "Appareil par FTP",
      cameraText:
        "Dans les réglages FTP de l’appareil. Toutes les photos vont à cet événement, sous leurs noms.",
      cameraClosed:
        "Les appareils ne peuvent pas encore envoyer par FTP ici. Qui gère ce site peut ouvrir cette porte.",
      host: "Serveur",
      port: "Port",
      user: "Utilisateur",
      password: "Mot de passe",
      aKey: "une clé d’envoi",
      security: "Sécurité",
      tls: {
        required: "FTPS, explicite (AUTH TLS)",
        offered: "FTPS, explicite ; ou aucune",
        none: "aucune : chacun en chemin peut lire",
      },
      passive: "Mode passif",
      passiveOn: (ports) => `activé, ports ${ports}`,
      folder: "Dossier d’un ordinateur",
      folderText:
        "findme-watch envoie une fois chaque photo d’un dossier, même si la liaison manque des heures.",
      program: "Tout programme",
      programText: "Une photo par requête, sous son nom.",
      copy: (what) => `Copier : ${what}`,
      copied: "Copié",
    },

    pipeline: {
      title: "Où nous en sommes",
      received: "reçues",
      analysed: "analysées",
      matched: "comparées",
      failed: "en échec",
      pending: "en attente",
      left: (seconds) => `Tout est fait dans ${f.duration(seconds)} environ.`,
      done: "Toutes les photos sont faites.",
      none: "Les photos qui arrivent sont comptées ici.",
      finished: "faites",
      perMinute: "Photos par minute",
      chart: (most) => `Photos par minute dans la dernière demi-heure, au plus ${f.number(most)}`,
      minute: (time, received, done) =>
        `${time} : ${some(received, "reçue", "reçues")}, ${some(done, "faite", "faites")}`,
    },
  };
};
