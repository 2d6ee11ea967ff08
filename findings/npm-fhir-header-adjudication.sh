#!/usr/bin/env bash
# npm fhir 4.12.0: the decision on the whole claim vanishes between JSON and XML, and validation says "valid"
#
# Expected: FHIR R4 puts adjudication not only below each line but also at the top of ClaimResponse and
#   ExplanationOfBenefit, for amounts that are decided for the whole claim (resource page of either, element
#   "adjudication", 0..*). The package names R4 as its version, offers conversion between JSON and XML and validation.
# Happens: its tables lack this one top-level element. Going from JSON to XML it is left out without an error; coming
#   from XML likewise. The JSON validator answers valid: true and only warns of an "Unexpected property"; the XML
#   validator does not even warn, because the element is gone before it looks. Line adjudication is kept.
# Why it matters: a deductible or a ceiling taken once from the whole claim stands exactly there. After a detour
#   through XML, a statement shows the gross benefit, and the member is promised, or paid, too much.
# Instead: validate with { errorOnUnexpected: true } on the JSON side, never trust a conversion that you have not
#   converted back and compared, and keep the bytes that you received.
set -euo pipefail
command -v npm >/dev/null || { echo "needs node and npm"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
npm install --ignore-scripts --no-audit --no-fund --save-exact fhir@4.12.0 >npm.log 2>&1 ||
  { tail -3 npm.log; echo "could not install the pinned package"; exit 77; }

cat >check.js <<'JS'
const {Fhir} = require('fhir');
const fhir = new Fhir();
const amount = (category, value) => ({category: {coding: [{code: category}]}, amount: {value, currency: 'USD'}});
const common = {
  status: 'active', type: {coding: [{code: 'professional'}]}, use: 'claim', patient: {reference: 'Patient/1'},
  created: '2026-03-01', insurer: {reference: 'Organization/1'}, outcome: 'complete',
  adjudication: [amount('deductible', 50)],
};
const resources = [
  {resourceType: 'ClaimResponse', ...common, item: [{itemSequence: 1, adjudication: [amount('benefit', 80)]}]},
  {
    resourceType: 'ExplanationOfBenefit', ...common, provider: {reference: 'Organization/2'},
    insurance: [{focal: true, coverage: {reference: 'Coverage/1'}}],
    item: [{sequence: 1, productOrService: {coding: [{code: '1205'}]}, adjudication: [amount('benefit', 80)]}],
  },
];
const unexpected = result => result.messages.filter(m => m.message === 'Unexpected property').map(m => m.location);
const changed = [];
console.log('fhir', require('fhir/package.json').version);
for (const resource of resources) {
  const name = resource.resourceType;
  const json = fhir.validate(resource);
  const strict = fhir.validate(resource, {errorOnUnexpected: true});
  const written = fhir.objToXml(resource);
  // the same resource as another system would send it, with the element in its R4 place: after the lines
  const received = written.replace(`</item></${name}>`, '</item><adjudication><category><coding>' +
    '<code value="deductible"/></coding></category><amount><value value="50"/><currency value="USD"/></amount>' +
    `</adjudication></${name}>`);
  const xml = fhir.validate(received);
  const read = fhir.xmlToObj(received);
  const seen = {
    'in the XML received': received.includes('deductible'),
    'JSON valid': json.valid,
    'JSON warning': unexpected(json).join() === `${name}.adjudication`,
    'JSON valid when strict': strict.valid,
    'deductible in XML written': written.includes('deductible'),
    'benefit in XML written': written.includes('benefit'),
    'XML valid': xml.valid,
    'XML warning': xml.messages.some(m => /adjudication$/.test(m.location)),
    'deductible in JSON read': JSON.stringify(read).includes('deductible'),
    'benefit in JSON read': JSON.stringify(read).includes('benefit'),
  };
  console.log(name);
  for (const [what, value] of Object.entries(seen)) console.log(`  ${what.padEnd(28)}${value}`);
  if (Object.values(seen).join() !== 'true,true,true,false,false,true,true,false,false,true') changed.push(name);
}
if (changed.length) {
  console.error(`CHANGED: header adjudication of ${changed.join(' and ')} is handled in another way`);
  process.exit(1);
}
console.log('As described: the adjudication of the whole claim is dropped both ways, and both count as valid.');
JS
node check.js
