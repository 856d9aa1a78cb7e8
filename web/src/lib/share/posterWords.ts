/** What posters and cards say, in the language of the guests, whatever that of the page is. */
export const POSTER_WORDS = {
  en: {
    title: "Find your photos",
    steps: ["Scan the code", "Take a selfie", "Your photos appear"],
    code: "Code",
    promise: "Your selfie is only used to find you. You can delete it with one tap.",
  },
  fr: {
    title: "Retrouvez vos photos",
    steps: ["Scannez le code", "Prenez un selfie", "Vos photos s’affichent"],
    code: "Code",
    promise: "Votre selfie ne sert qu’à vous retrouver. Vous l’effacez d’un geste.",
  },
} as const;

export type PosterLanguage = keyof typeof POSTER_WORDS;
