const CALENDAR_LIST = `monday=mondays mon|tuesday=tuesdays tue tues|wednesday=wednesdays wed|thursday=thursdays thu thur thurs|friday=fridays fri|saturday=saturdays|sunday=sundays|january=jan|february=feb|march=|april=apr|june=jun|july=jul|august=aug|september=sep sept|october=oct|november=nov|december=dec|
  today=todays|tomorrow=tomorrows|yesterday=yesterdays|tonight=tonite|weekend=weekends|weekday=weekdays|morning=mornings|afternoon=afternoons|evening=evenings|night=nights|hourly=|daily=|weekly=|monthly=|quarterly=|yearly=|summer=|autumn=|winter=|christmas=xmas|easter=|overnight=|nightly=`;
/** Days, months, seasons and parts of the day by every form they are written in. */
export const CALENDAR = new Map(CALENDAR_LIST.split('|').flatMap((line): [string, string][] => {
  const [name = '', others = ''] = line.trim().split('=');
  return [name, ...others.split(' ')].filter((each) => each !== '').map((each) => [each, name]);
}));
/** Beside these "the 2nd" and "2" are the same day. */
export const MONTHS = new Set('january february march april may june july august september october november december'.split(' '));
