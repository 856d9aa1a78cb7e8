import type { Formats } from "../formats.ts";
import type { ShareWords } from "./share.en.ts";

export const words = (f: Formats): ShareWords => ({
  title: (name) => `Partager ${name}`,
  parts: "Ce que vous partagez",
  link: "Lien",
  print: "Imprimer",
  wall: "Mur",
  qr: "Code QR qui ouvre l’événement",
  scan: "Les invités scannent le code, ou tapent cette adresse.",
  copy: "Copier le lien",
  copied: "Le lien est copié.",
  png: "Image (PNG)",
  svg: "Dessin (SVG)",
  localTitle: "Les téléphones ne peuvent pas ouvrir cette adresse",
  local:
    "Elle ne mène qu’à cet ordinateur. Ouvrez FindMe par l’adresse que prendront les invités, ou indiquez-la dans PUBLIC_URL.",
  format: "Format",
  formats: {
    poster: "Affiche, A4",
    cards: "Cartes de table A6, huit par feuille A3",
    smallCards: "Petites cartes A7, huit par feuille A4",
  },
  language: "Langue du texte",
  preview: "Tel qu’imprimé",
  pdf: "Télécharger le PDF",
  paper: "Imprimez à 100 %, sans mise à l’échelle. Coupez le long des repères.",
  paperOne: "Imprimez à 100 %, sans mise à l’échelle.",
  wallText:
    "Pour un projecteur ou un écran sur place : les photos à mesure qu’elles arrivent, avec le code dans un coin. Qui a le lien voit ce que voient tous les invités.",
  wallMake: "Créer un lien",
  wallOpen: "Ouvrir",
  wallCopy: "Copier",
  wallEnd: "Retirer",
  wallEnded: "Le mur est retiré : ses écrans s’éteignent en quelques secondes.",
  wallMade: (moment) => `Créé le ${moment}`,
  wallMany: "Il y a déjà vingt murs. Retirez-en un qui ne sert plus.",
  walls: (n) => (n === 1 ? "Un mur" : `${f.number(n)} murs`),
});
