// Sends one file by tus-js-client, with what its options say, and prints what the answer says of it.
import { readFileSync } from "node:fs";
import { Upload } from "tus-js-client";

const { file, ...options } = JSON.parse(readFileSync(0, "utf8"));
const told = {};
const upload = new Upload(readFileSync(file), {
  ...options,
  onAfterResponse: (_, response) => {
    for (const name of ["FindMe-Photo-Id", "FindMe-Status", "FindMe-Job-Id"]) {
      told[name] = response.getHeader(name) ?? told[name];
    }
  },
  onSuccess: () => console.log(JSON.stringify(told)),
  onError: (error) => {
    console.error(error.message);
    process.exit(1);
  },
});
upload.start();
