import type { Formats } from "../formats.ts";
import type { StartWords } from "./start.en.ts";

export const words = (f: Formats): StartWords => ({
  pageTitle: "Premier démarrage · FindMe",
  step: (n, all) => `Étape ${f.number(n)} sur ${f.number(all)}`,
  closedTitle: "FindMe est déjà en place",
  closed: "Un compte d’administration existe. Connectez-vous, ou demandez-lui un compte.",
  signIn: "Se connecter",
  failedTitle: "Cela n’a pas pu être chargé",

  adminTitle: "Qui gère FindMe ici ?",
  adminText: "Vous créez le premier compte. Avec lui, vous créez tous les autres.",
  token: "Jeton d’installation",
  tokenHint: "FindMe l’a affiché dans le terminal à son démarrage.",
  tokenWrong: "Ce n’est pas le jeton. Copiez-le en entier depuis le terminal.",
  name: "Votre nom",
  email: "Adresse e-mail",
  password: "Mot de passe",
  passwordHint: "Huit caractères ou plus, avec une majuscule, un chiffre et un caractère spécial.",
  passwordWeak:
    "Prenez un mot de passe de huit caractères ou plus, avec une majuscule, un chiffre et un caractère spécial.",
  missing: "À remplir.",
  emailWrong: "Écrivez une adresse comme nom@exemple.org.",
  next: "Continuer",

  eventTitle: "Votre premier événement",
  eventText: "Les invités le rejoignent par un code que nous créons.",
  event: "Nom de l’événement",
  eventExample: "Gala du port",
  date: "Date",
  create: "Créer l’événement",

  doneTitle: (name) => `${name} est prêt`,
  done: "Scannez ceci avec votre téléphone : c’est ce que verront vos invités.",
  qr: "Code QR qui ouvre l’événement",
  localTitle: "Les téléphones ne peuvent pas encore ouvrir cette adresse",
  local:
    "Elle ne mène qu’à cet ordinateur. Démarrez FindMe avec --host 0.0.0.0 et ouvrez-le par l’adresse de cet ordinateur dans votre réseau, ou indiquez PUBLIC_URL.",
  upload: "Envoyer des photos",
  studio: "Vers le studio",
  admin: "Vers l’administration",
});
