import type { Formats } from "../formats.ts";
import type { PartsWords } from "./parts.en.ts";

export const words = (f: Formats): PartsWords => {
  const some = (n: number, one: string, other: string): string =>
    `${f.number(n)} ${f.plural(n) === "one" ? one : other}`;
  const photos = (n: number): string => some(n, "photo", "photos");
  return {
    photos: {
      count: (n) => `${photos(n)}.`,
      which: "Quelles photos",
      all: "Toutes les photos",
      shown: "Vues par tous les invités",
      hidden: "Masquées",
      isHidden: "masquée",
      isPending: "pas encore analysée",
      noneTitle: "Pas encore de photos",
      none: "Déposez des photos n’importe où sur cette page, ou choisissez-les sous Envoi.",
      upload: "Envoyer des photos",
      noneOfThese: "Aucune photo ne correspond.",
      show: "Montrer à tous",
      hide: "Masquer",
      nowShown: (n) => some(n, "photo visible par tous.", "photos visibles par tous."),
      nowHidden: (n) =>
        `${some(n, "photo masquée", "photos masquées")}. Les invités voient encore celles où ils sont.`,
      remove: "Supprimer",
      removeTitle: (n) => `Supprimer ${photos(n)} ?`,
      removeText: "Elles disparaissent pour vous et pour tous les invités, sans retour possible.",
      removed: (n) => some(n, "photo supprimée.", "photos supprimées."),
      failedTitle: (n) =>
        some(n, "photo n’a pas pu être analysée", "photos n’ont pas pu être analysées"),
      failedText: "Personne n’y est retrouvé tant que cela dure.",
      retry: "Réessayer",
      retryAll: "Tout réessayer",
      retried: (n) => some(n, "photo analysée à nouveau.", "photos analysées à nouveau."),
      more: (n) => `Tout afficher (${f.number(n)})`,
      reasons: {
        broke: "L’analyse s’est interrompue à chaque fois. Réessayez, ou renvoyez la photo.",
        changed: "Le fichier conservé est endommagé. Envoyez la photo à nouveau.",
        unreadable:
          "Le fichier ne se lit pas comme une photo. Exportez-le à nouveau et envoyez-le.",
      },
    },

    photo: {
      title: (name) => `Photo ${name}`,
      previous: "Photo précédente",
      next: "Photo suivante",
      damaged: (percent) =>
        percent > 0
          ? `Le fichier est endommagé ou coupé : il manque ${percent} % de l’image. Copiez-le à nouveau depuis l’appareil.`
          : "Le fichier est endommagé, et l’image peut être fausse par endroits. Copiez-le à nouveau depuis l’appareil.",
      faces: (n) =>
        n === 0 ? "Aucun visage trouvé." : some(n, "visage trouvé.", "visages trouvés."),
      face: (n, name) => (name ? `Visage ${n} : ${name}` : `Visage ${n} : inconnu`),
      unknown: "Inconnu",
      who: "Qui y figure",
      nobody: "Aucun invité n’y a été retrouvé.",
      whoIsThis: "Qui est-ce ?",
      found: "reconnu au visage",
      byHand: "ajouté à la main",
      confirmed: "confirmé par l’invité",
      notThem: "Une autre personne",
      notThemDone: (name) => `${name} n’a plus cette photo.`,
      undo: "Annuler",
      added: (name) => `${name} a maintenant cette photo.`,
      takeOut: "Retirer",
      add: "Ajouter un invité",
      find: "Chercher par nom",
      noGuests: "Personne n’est encore venu.",
      noneFound: "Aucun invité ne porte ce nom.",
      saidSo: "L’invité l’a dit lui-même. Lui seul peut revenir dessus.",
      denied: "L’invité a dit que ce n’est pas lui. Lui seul peut revenir dessus.",
      cover: "Prendre en couverture",
      isCover: "C’est la couverture",
      coverDone: "Cette photo est maintenant la couverture de l’événement.",
      download: "Télécharger",
      taken: (moment) => `Prise le ${moment}`,
    },

    people: {
      text: "Ces personnes sont sur les photos et n’ont pas envoyé de selfie. Dites qui elles sont, et elles reçoivent leurs photos.",
      in: (n) => `sur ${photos(n)}`,
      person: (n) => `Quelqu’un sur ${photos(n)}`,
      thisIs: "C’est …",
      named: (name, n) => `${name} a maintenant ${photos(n)} de plus.`,
      look: "Ses photos",
      noneTitle: "Personne sans selfie",
      none: "Qui figure sur deux photos ou plus sans avoir envoyé de selfie apparaît ici.",
      cannotTitle: "Les personnes ne se distinguent pas ici",
      cannot: "Le service de visages utilisé ne compare que les selfies.",
      more: "Afficher plus de personnes",
      failedTitle: "Les personnes n’ont pas pu être chargées",
    },

    guests: {
      find: "Chercher par nom",
      count: (n) => some(n, "invité", "invités"),
      without: (n) =>
        n === 1
          ? "1 n’a encore été retrouvé sur aucune photo."
          : `${f.number(n)} n’ont encore été retrouvés sur aucune photo.`,
      name: "Nom",
      joined: "Arrivée",
      photos: "Photos",
      noSelfie: "pas de selfie",
      selfie: (name) => `Selfie de ${name}`,
      remove: "Retirer",
      removeOf: (name) => `Retirer ${name}`,
      removeTitle: (name) => `Retirer ${name} de l’événement ?`,
      removeText:
        "Ce qui a été trouvé ici est supprimé. Qui est venu sans mot de passe perd aussi son selfie et son compte. Le code de l’événement permet de revenir.",
      removed: (name) => `${name} ne fait plus partie de l’événement.`,
      noneTitle: "Personne n’est encore venu",
      none: "Montrez le QR code, ou envoyez le lien.",
      inviteTitle: "Inviter",
      inviteText: "Qui a ce lien peut venir, comme par le QR code.",
      copy: "Copier le lien",
      copied: "Le lien est copié.",
      mail: "Écrire un e-mail",
      mailSubject: (name) => `Vos photos de ${name}`,
      mailText: (name, link) =>
        `Retrouvez les photos de ${name} où vous figurez, avec un seul selfie :\n${link}\n`,
      tellTitle: "Annoncer les nouvelles photos",
      tellText: (n) =>
        n === 0
          ? "Aucun invité avec une adresse n’a de photos qu’on ne lui ait annoncées."
          : some(
              n,
              "invité a des photos qu’on ne lui a pas annoncées.",
              "invités ont des photos qu’on ne leur a pas annoncées.",
            ),
      tell: (n) => `Écrire à ${some(n, "invité", "invités")}`,
      told: (n) => some(n, "e-mail est en route.", "e-mails sont en route."),
      failedTitle: "Les invités n’ont pas pu être chargés",
    },

    settings: {
      event: "L’événement",
      name: "Nom",
      nameMissing: "Donnez un nom à l’événement.",
      date: "Date",
      code: "Code",
      codeHint:
        "Les cartes et liens avec l’ancien code ne fonctionnent plus dès que vous le changez.",
      codeShort: "Un code a six lettres (A à Z) et chiffres ou plus, et rien d’autre.",
      end: "Fin",
      endHint:
        "À partir de là, les invités ne voient plus rien ; plus tard, photos et visages sont effacés.",
      endEarly: "La fin doit suivre la date, et ne pas être passée.",
      sure: "À quel point faut-il être sûr ?",
      sureHint: "Une photo va à un invité quand le visage ressemble assez à son selfie.",
      more: "Montrer plus",
      moreHint: "Les invités reçoivent plus de photos, parfois celle de quelqu’un d’autre.",
      balanced: "Équilibré",
      balancedHint: "Convient à la plupart des événements.",
      only: "Seulement sûr",
      onlyHint: "Presque jamais quelqu’un d’autre ; on demande plus souvent aux invités.",
      apply: "Appliquer",
      applied: "C’est fait. Les photos sont parcourues à nouveau.",
      nothingMoves: "Aucune photo ne bougerait.",
      gained: (n) =>
        some(
          n,
          "photo passerait de « Est-ce vous ? » à un invité.",
          "photos passeraient de « Est-ce vous ? » à un invité.",
        ),
      gainedMore: "D’autres peuvent s’ajouter quand tout est parcouru à nouveau.",
      doubted: (n) =>
        some(n, "photo passerait à « Est-ce vous ? ».", "photos passeraient à « Est-ce vous ? »."),
      lost: (n) => some(n, "photo quitterait un invité.", "photos quitteraient un invité."),
      look: "L’apparence",
      cover: "Couverture",
      coverHint: "Qui a le code de l’événement la voit en premier, même sans venir.",
      coverNone: "Pas de couverture",
      coverChoose: "Choisir une photo",
      coverRemove: "Sans couverture",
      coverEmpty: "Il n’y a pas encore de photos à choisir.",
      coverPhoto: (n) => `Photo ${n} en couverture`,
      accent: "Couleur",
      accentHint: "Pour les boutons et liens des pages des invités.",
      accentOurs: "Prendre la nôtre",
      accentChanged: "Nous la fonçons ou l’éclaircissons là où elle ne se lirait pas.",
      preview: "Trouver mes photos",
      consent: "Vos mots au consentement",
      consentHint: "Les invités les lisent avant leur selfie, sous les nôtres.",
      privacy: "Qui voit quoi",
      everybody: "Tous les invités voient toutes les photos",
      everybodyHint: "Sauf celles que vous masquez.",
      selected: "Les invités voient leurs photos, et celles que vous choisissez",
      selectedHint: "Choisissez par « Montrer à tous » parmi les photos.",
      strip: "Les invités reçoivent les photos sans lieu, noms ni numéros de série",
      stripHint: "L’appareil les écrit dans chaque fichier. Vous gardez les originaux.",
      duplicates: "La même photo envoyée à nouveau",
      duplicatesWay: "Selon la voie par laquelle elle arrive",
      duplicatesHint:
        "Par formulaire, une nouvelle photo après cinq minutes ; par toute autre voie, celle qui est là.",
      duplicatesEvent: "Toujours celle qui est là",
      duplicatesWindow: "Une nouvelle photo, après cinq minutes",
      save: "Enregistrer",
      saved: "Enregistré.",
      unsaved: "Des modifications ne sont pas enregistrées.",
      discard: "Abandonner",
      refused:
        "Cela ne peut pas être enregistré : le code est peut-être celui d’un autre événement, ou la fin trop lointaine.",
      cameras: "Appareils photo",
      camerasHint:
        "L’horloge d’un appareil est fausse ? Corrigez-la, et ses photos retrouvent leur place dans la journée. Les fichiers restent tels quels, et les invités ne voient rien des appareils.",
      cameraTook: (n: number, first: string, last: string) =>
        first ? `${photos(n)}, du ${f.moment(first)} au ${f.moment(last)}` : photos(n),
      cameraSerial: (serial: string) => `Numéro de série ${serial}`,
      clockOwn: "Sa propre horloge",
      clockPut: (isLater: boolean, hours: number, minutes: number) =>
        `${isLater ? "Avancée" : "Reculée"} de ${f.number(hours)} h ${f.number(minutes)} min`,
      clockSet: "Corriger l’horloge",
      clockSetOf: (name: string) => `Corriger l’horloge : ${name}`,
      clockPhoto: "Une photo dont vous savez l’heure",
      clockSample: (n: number) => `Photo ${n}`,
      clockTaken: "Elle a été prise à",
      clockIs: "L’horloge de l’appareil est donc",
      clockBehind: "en retard",
      clockAhead: "en avance",
      clockHours: "h",
      clockMinutes: "min",
      clockHint: (n: number) => `Déplace ${photos(n)} de cet appareil, et toutes celles à venir.`,
      clockBack: "Revenir à sa propre horloge",
      clockDone: "C’est fait. Les photos sont à leur place.",
      deleteTitle: "Supprimer l’événement",
      deleteText: (n, guests) =>
        guests
          ? `${photos(n)} et tous les visages sont supprimés aussitôt, pour vous et ${some(guests, "invité", "invités")}, sans retour possible.`
          : `${photos(n)} et tous les visages sont supprimés aussitôt, sans retour possible.`,
      deleteCode: (code) => `Tapez ${code} pour le supprimer`,
      deleted: "L’événement est supprimé.",
      failedTitle: "Les réglages n’ont pas pu être chargés",
    },
  };
};
