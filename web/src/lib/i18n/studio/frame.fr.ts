import type { Formats } from "../formats.ts";
import type { FrameWords } from "./frame.en.ts";

export const words = (f: Formats): FrameWords => {
  const some = (n: number, one: string, other: string): string =>
    `${f.number(n)} ${f.plural(n) === "one" ? one : other}`;
  return {
    pageTitle: (name) => `${name} · studio FindMe`,
    skip: "Aller au contenu",

    login: {
      title: "Studio",
      text: "Pour les photographes et les organisateurs.",
      name: "Nom ou adresse e-mail",
      password: "Mot de passe",
      signIn: "Se connecter",
      wrong: "Le nom ou le mot de passe n’est pas juste. Vérifiez les deux.",
      locked: "Ce compte ne peut pas se connecter. Adressez-vous à qui gère ce site.",
      provider: "Se connecter avec votre organisation",
      forgotten: "J’ai oublié mon mot de passe",
      forgottenHint: "Nous envoyons un lien par lequel vous en choisissez un autre.",
      mail: "Adresse e-mail",
      send: "Envoyer le lien",
      sent: "S’il y a un compte à cette adresse, un e-mail avec un lien est en route.",
      back: "Revenir à la connexion",
      guestTitle: "Ici, c’est pour les photographes",
      guest:
        "Vous êtes ici comme invité d’un événement. Connectez-vous avec un compte de photographe.",
      event: "Vers vos photos",
      signInAs: "Se connecter comme photographe",
    },

    account: {
      title: "Votre compte",
      hello: (name) => `Ici, vous êtes ${name}.`,
      signOut: "Se déconnecter",
      password: "Un autre mot de passe",
      present: "Mot de passe actuel",
      next: "Nouveau mot de passe",
      hint: "Huit caractères ou plus, avec une majuscule, un chiffre et un caractère spécial.",
      change: "Changer le mot de passe",
      changed: "Le mot de passe est changé. Tous les autres appareils sont déconnectés.",
      wrong: "Le mot de passe actuel n’est pas juste.",
      weak: "Le nouveau mot de passe est trop facile à deviner, ou le même. Choisissez-en un plus long, de mots qui ne sont pas les vôtres.",
    },

    events: {
      title: "Événements",
      live: "en direct",
      ended: "terminé",
      soon: (date) => `le ${date}`,
      photos: (n) => some(n, "photo", "photos"),
      make: "Nouvel événement",
      noneTitle: "Pas encore d’événement",
      none: "Créez-en un : ses invités le rejoignent par le code qu’il reçoit.",
      pickTitle: "Choisissez un événement",
      pick: "Ses photos, ses invités et ses réglages s’affichent ici.",
      all: "Tous les événements",
      admin: "Administration",
      more: "Votre compte",
    },

    event: {
      tabs: "Parties de l’événement",
      photos: "Photos",
      people: "Personnes",
      guests: "Invités",
      upload: "Envoi",
      settings: "Réglages",
      share: "Partager",
      live: "en direct",
      reconnecting: "reconnexion",
      received: (n) => some(n, "reçue", "reçues"),
      analysed: (n) => some(n, "analysée", "analysées"),
      failed: (n) => some(n, "en échec", "en échec"),
      joined: (n) => some(n, "invité", "invités"),
      overText: (date) =>
        `Il s’est terminé le ${date} : les invités ne voient plus rien. Vous pouvez le prolonger dans ses réglages.`,
      goneTitle: "Cet événement n’existe pas",
      gone: "Il a été supprimé, ou il est à un autre photographe.",
      failedTitle: "L’événement n’a pas pu être chargé",
    },

    zone: {
      label: "Fuseau horaire",
      none: "Aucun : comme l’horloge de chaque appareil",
      hint: "Où il a lieu. Les photos de tous les appareils suivent alors un seul ordre, à l’heure de là-bas.",
      noneHint:
        "Les photos de téléphones et d’appareils réglés sur d’autres fuseaux peuvent être en désordre.",
      unknown: "FindMe ne connaît pas ce fuseau horaire. Choisissez-en un autre, d’un lieu proche.",
    },

    make: {
      title: "Nouvel événement",
      name: "Nom",
      nameHint: "Tel que les invités le lisent.",
      nameMissing: "Donnez un nom à l’événement.",
      date: "Date",
      code: "Code",
      codeHint:
        "Les invités le tapent quand ils ne peuvent pas scanner. Lettres A à Z et chiffres, six ou plus.",
      codeShort: "Un code a six lettres (A à Z) et chiffres ou plus, et rien d’autre.",
      codeTaken: "Un autre événement a ce code. En voici un autre.",
      another: "En proposer un autre",
      end: "Fin",
      endHint:
        "À partir de là, les invités ne voient plus rien ; plus tard, photos et visages sont effacés.",
      endEarly: "Il doit se terminer après sa date, et pas dans le passé.",
      seen: "Toutes les photos",
      seenByAll: "Chaque invité les voit toutes",
      seenChosen: "Les invités voient les leurs, et celles que vous choisissez",
      whose: "Photographe",
      nobody: "Personne encore",
      create: "Créer l’événement",
    },
  };
};
