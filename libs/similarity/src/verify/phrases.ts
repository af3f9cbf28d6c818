/**
 * How requests begin, end and are polite in English. What is asked of the answerer, apart from the matter itself, is an "ask":
 * `how`, `can` (may I, is it possible), `want` (I need to), `do` (could you), `what`, `why`, ….
 * Written as lists parted by `|`, of words as they stand after contractions are opened (`what's` is `what is`).
 */
export type Phrases = ReadonlyMap<string, readonly string[]>;

const list = (text: string): string[] => text.split('|').map((each) => each.trim()).filter((each) => each !== '');

/** Greetings and excuses before the matter. */
export const GREETINGS: readonly string[] = list(`hi|hello|hey|hi there|hello there|hey there|hiya|howdy|greetings|good morning|good afternoon|good evening|good day|
  dear team|dear support|dear assistant|dear bot|dear sir or madam|dear all|hi all|hi team|hello team|hi everyone|hello everyone|hi guys|hey guys|dear sir|dear madam|
  excuse me|excuse me but|sorry|sorry but|sorry to bother you|sorry to bother you but|sorry for bothering you|sorry for the trouble|pardon me|
  quick question|a quick question|just a quick question|i have a question|i have a quick question|i got a question|one question|question|
  wondering|just curious|just a question|just wanted to ask|i just wanted to ask|i just want to ask|i need help|i need some help|need help|help|please help|dear support team|dear customer service|dear customer support|i am curious|out of curiosity|
  ok|okay|ok so|okay so|so|well|um|uh|hmm|alright|right|now|yo|oh|yes|yeah|basically|actually|honestly|by the way|btw|also|and|but|
  please|kindly|pretty please|thanks|thank you|if you do not mind|if possible|if you can|if you could|real quick|really quick|i hope you are well|hope you are well|hope you are doing well`);

/** Politeness after the matter. */
export const CLOSINGS: readonly string[] = list(`please|thanks|thank you|thank you very much|thank you so much|thanks a lot|thanks so much|many thanks|thanks in advance|
  thank you in advance|in advance thanks|in advance thank you|cheers|regards|kind regards|best regards|best wishes|sincerely|thanks and regards|kindly|if you do not mind|if possible|if you can|if you could|if that is possible|by any chance|
  appreciated|much appreciated|i would appreciate it|i appreciate it|or not|exactly|sir|madam|mate|ok|okay|real quick|help|help me|any help is appreciated|any ideas|any idea|
  please help|please help me|can you help|can you help me|could you help me|can you tell me|could you tell me|please tell me|do you know|let me know|please let me know`);

/** Said before a question that follows in full: "can you tell me" how …, what …, if …. */
export const LEADS: readonly string[] = list(`list|please list|can you list|could you list|can you please list|could you please list|can you tell me|could you tell me|would you tell me|will you tell me|please tell me|tell me|can you please tell me|could you please tell me|do you know|do you happen to know|would you know|would you happen to know|does anyone know|does anybody know|
  i want to know|i would like to know|i need to know|i would love to know|i wish to know|i want to find out|i would like to find out|i am wondering|i wonder|i was wondering|just wondering|i was just wondering|i am just wondering|would you mind telling me|do you mind telling me|i am trying to find out|i am curious|i am curious about|
  any idea|any ideas|any idea about|can i ask|may i ask|could i ask|can i ask you|may i know|can i know|could i know|i want to understand|i would like to understand|can you clarify|could you clarify|i need to find out|
  i want to ask|i would like to ask|i have a question about|i wanted to know|i wanted to ask|can someone tell me|could someone tell me|can anyone tell me|can someone explain|do you have any idea|have you any idea|i would like you to tell me|i want you to tell me|i need you to tell me|you should tell me|give me information on|give me information about|i need information on|i need information about|i want information about|
  i need info on|i need info about|give me info on|give me info about|give me|can you give me|could you give me|please give me|can you please give me|provide me with|can you provide me with|could you provide me with`);

/** The same, but only when a question or "how to" follows: "show me the map" asks for the map itself. */
export const QUESTION_LEADS: readonly string[] = list(`show me|can you show me|could you show me|please show me|can you explain|could you explain|please explain|explain|explain to me|can you explain to me|could you explain to me|i do not know|i do not understand|
  i am not sure|remind me|can you remind me|teach me|can you teach me|walk me through|could you walk me through|can you walk me through|please help me understand|help me understand|i am trying to understand|i do not get`);
/** The same, but in front of `when` and `if` they ask to be told once it happens. */
export const NOTICE_LEADS: readonly string[] = list(`let me know|please let me know|can you let me know|could you let me know|can you please let me know|could you please let me know|kindly let me know`);
/** The same, in front of anything that can be known, "a good place" too. */
export const KNOWING_LEADS: readonly string[] = list(`i want to know|i would like to know|i need to know|i would love to know|i wish to know|do you know|do you happen to know|would you know|may i know|can i know|could i know|i want to find out|i would like to find out|any idea about`);

/** What the ask of a clause is, by the words it begins with. */
const OPENING_LISTS: Readonly<Record<string, string>> = {
  how: `how do i|how can i|how could i|how would i|how should i|how might i|how to|how can we|how do we|how does one|how can one|how would one|how should one|how do i go about|how can i go about|how would i go about|how does one go about|how am i able to|how may i|how will i|how shall i|
    how i can|how i could|how i would|how i should|how i might|how i do|how do i get to|how one can|what is the way to|what is a way to|what is the best way to|what is the right way to|what is the correct way to|what is the proper way to|
    what is a good way to|what would be the best way to|what would be a good way to|what is the best way for me to|what is the best method to|what is the method to|what is the best way i can|best way to|the best way to|the way to|the right way to|the correct way to|a way to|ways to|way to|
    what are the steps to|what are the steps for|what are the steps i need to take to|what are the ways to|what are some ways to|what steps do i take to|what steps do i need to take to|what steps should i take to|what steps are needed to|what steps are there to|which steps do i take to|
    steps to|steps for|the steps to|the steps for|guide to|a guide to|instructions to|instructions for|instructions on how to|what do i do to|what do i need to do to|what do i have to do to|what should i do to|what can i do to|what must i do to|what would i need to do to|
    what do i need to do in order to|what should i do if i want to|what do i do if i want to|what do i need to do if i want to|what do i have to do if i want to|
    what is the process to|what is the process for|what is the procedure to|what is the procedure for|process for|procedure for|is there a way to|is there any way to|is there a way i can|is there any way i can|is there a way that i can|is there any way that i can|is there a way for me to|is there any way for me to|
    are there ways to|are there any ways to|are there steps to|in what way can i|in which way can i|by what means can i|what way can i|through what steps do i|how it is possible to|how is it possible to|how would it be possible to|what is needed to|what does it take to|what would it take to|
    help me figure out how to|help me understand how to|i need help figuring out how to|i need instructions to|i need instructions for|i need instructions on how to|i need a guide to|i need help on how to|i want to learn how to|i would like to learn how to|i am trying to figure out how to|i do not know how to|i need to know how to|
    give me instructions to|give me instructions for|give me instructions on how to|give me the steps to|give me steps to|give me a guide to|show me the way to|show me a way to|show me the steps to|explain the steps to|explain the process of|tell me the steps to|tell me the way to|tell me the best way to`,
  can: `can i|could i|may i|might i|can we|could we|may we|am i able to|are we able to|am i allowed to|are we allowed to|am i permitted to|is it possible to|is it possible for me to|is it possible that i|is it possible if i|would it be possible to|would it be possible for me to|is it ok to|is it okay to|is it ok if i|is it okay if i|
    is it alright to|is it alright if i|would it be ok to|would it be okay to|would i be able to|will i be able to|should i be able to|is it allowed to|is it permitted to|if i can|if i could|whether i can|whether i could|if it is possible to|whether it is possible to|if i am able to|if i am allowed to|whether i am able to|whether i am allowed to|
    do i have the option to|do i have the ability to|is there an option to|is there any option to|is there a possibility to|is there any possibility to|can one|does one get to|am i free to`,
  want: `i want to|i would like to|i need to|i wish to|i would love to|i would want to|i am looking to|i am trying to|i am hoping to|i was hoping to|i intend to|i really need to|i really want to|i just want to|i just need to|let me|help me|help me to|i need help to|i want help to|i would like help to|
    can you help me|can you help me to|could you help me|could you help me to|would you help me|will you help me|please help me|please help me to|i need some help to|i require help to|i need your help to|assist me in|can you assist me in|i wanted to|we need to|we want to|we would like to|i am going to need to|i will need to`,
  obliged: `i have to|i must|i require to|we have to`,
  need: `i want|i need|i would like|i require|i am in need of|i need help with|i would like help with|i need assistance with|i need some help with|i need your help with|help with|can you help me with|could you help me with|can you assist me with|could you assist me with|please help me with|help me with|we need|we want`,
  do: `can you|could you|would you|will you|can you please|could you please|would you please|will you please|i need you to|i want you to|i would like you to|i would love you to|would you be able to|are you able to|will you be able to|is it possible for you to|would it be possible for you to|would you mind|do you mind|do you think you could|do you think you can|
    i would appreciate it if you could|it would be great if you could|i would be grateful if you could|please|kindly|go ahead and|do me a favor and|do me a favour and|please go ahead and|can you go ahead and|could you go ahead and|be so kind as to|could you possibly|could you kindly|can you kindly|would you kindly|would you be so kind as to|might you|you should|you need to|can i get you to|can i have you|could i get you to|can i ask you to|may i ask you to|let us|i ask you to`,
  why: `why|what is the reason|what is the reason that|what is the reason why|what was the reason|what are the reasons|how come|for what reason|for which reason|what is the reason for|reason why|the reason why|the reason`,
  where: `where can i|where do i|where could i|where should i|where would i|where can i go to|where do i go to|where should i go to|where is it possible to|where may i|where might i|where can we|where can one|where does one|where i can|where i could|where i should|where would i go to|in what place can i|in which place can i|what place can i|what is a place to|what is a good place to|places to|which place lets me|where am i able to|where are we able to|where is a good place to|where is a place to|at what place can i`,
  exist: `do you have|do you have any|have you got|have you got any|have you any|is there|is there any|are there|are there any|do you offer|do you offer any|do you guys have|is there a|if you have|whether you have|if there is|if there are|whether there is|whether there are|do you provide|do you provide any`,
  price: `what is the price of|what is the price for|what is the cost of|what is the cost for|what is the price to|what is the cost to|what are the costs of|what are the costs for|price of|the price of|cost of|the cost of|price for|cost for|cost to|the cost to|how expensive is|how expensive are|how expensive is it to|how much does it cost to|how much does it cost for|
    how much would it cost to|how much will it cost to|how much is it to|how much do i pay for|how much do i pay to|how much do i have to pay for|how much do i have to pay to|how much would i pay for|how much would i pay to|how much does it cost me to|what does it cost to|what does it cost for|what would it cost to|what would i pay to|what would i pay for|what do i pay for|what do i pay to|how much is a|how much is the|how much are|how much is|how much are the|how much is an|how much for|how much for a|how much for the`,
  long: `how long does it take to|how long does it take for|how long will it take to|how long would it take to|how long does it usually take to|how much time does it take to|how much time will it take to|how much time is needed to|how much time do i need to|how long is needed to|how long do i need to|what is the time needed to|what is the time required to|time required to|time needed to|how long it takes to|how much time it takes to|how long will it take for|how much time does it take for`,
  define: `define|definition of|the definition of|what is the definition of|what is meant by|what do you mean by|what does it mean to be|the meaning of the word|give me the definition of|give me a definition of`,
  meaning: `meaning of|the meaning of|what is the meaning of|give me the meaning of`,
  show: `show me|display|display for me|let me see|let me view|i want to see|i would like to see|i need to see|pull up|bring up|can i see|could i see|may i see|can you show me|could you show me|please show me|show|show us|let us see|i would like to view|i want to view`,
  give: `give me|can you give me|could you give me|please give me|provide me with|can you provide me with|could you provide me with|get me|can you get me|could you get me|hand me|provide`,
  should: `should i|should we|ought i to|am i supposed to|is it advisable to|is it a good idea to|would it be a good idea to|is it wise to|if i should|whether i should|whether to|do you think i should`,
  must: `must i|do i need to|do i have to|am i required to|is it necessary to|is it required to|is it mandatory to|is it obligatory to|do we need to|do we have to|am i obliged to|if i need to|if i have to|whether i need to|whether i have to|is it needed to|will i need to|will i have to`,
  when: `when|at what point|on what date|on which date|what date|which date`,
  time: `what time|at what time|which time|at which time|at what hour|what hour`,
  'how tall': `what is the height of`,
  'how old': `what is the age of`,
  'how big': `what is the size of`,
  'how far': `what is the distance to|what distance is it to`,
  'how is': `how is|how are`,
  'how long': `how long|for how long|how much time`,
  'how many': `what is the number of|what is the total number of`,
  'how often': `how often|how frequently|how many times`,
};

/** A phrase wherever it stands, and the words that stand for it. */
const ALIAS_LISTS = `log in=login|sign in=login|signin=login|log on=login|logon=login|log into=login|sign into=login|sign up=signup|log out=logout|sign out=logout|log off=logout|signout=logout|set up=setup|check in=checkin|check out=checkout|back up=backup|pick up=pickup|drop off=dropoff|wi fi=wifi|e mail=email|e mails=email|emails=email|
  log me in=login|tv=television|tvs=television|info=information|app=application|apps=application|world war ii=world_war 2|world war 2=world_war 2|world war two=world_war 2|wwii=world_war 2|ww2=world_war 2|ww ii=world_war 2|second world war=world_war 2|2nd world war=world_war 2|1st world war=world_war 1|world war i=world_war 1|world war 1=world_war 1|world war one=world_war 1|wwi=world_war 1|ww1=world_war 1|first world war=world_war 1|uk=united_kingdom|united kingdom=united_kingdom|usa=united_states|united states of america=united_states|united states=united_states|eu=european_union|european union=european_union|uae=emirates|united arab emirates=emirates|nyc=new_york_city|new york city=new_york_city|
  ai=artificial_intelligence|artificial intelligence=artificial_intelligence|machine learning=machine_learning|pc=computer|asap=as_soon_as_possible|as soon as possible=as_soon_as_possible|pic=picture|pics=picture|phone=telephone|phones=telephone|cellphone=mobile telephone|cell phone=mobile telephone|cell=cell|
  vs=versus|v s=versus|approx=approximately|max=maximum|dept=department|temp=temperature|bday=birthday|b day=birthday|appt=appointment|acct=account|num=number|msg=message|pwd=password|tmrw=tomorrow|tomorow=tomorrow|tmr=tomorrow|2nite=tonight|pto request=pto request|in order to=to|to do list=todo list|to do lists=todo list|require to=must|requires to=must|so as to=to|so that i can=to|
  right now=now|at the moment=now|currently=now|at this moment=now|presently=now|at present=now|nowadays=now|these days=now|get rid of=remove|as well=also|as well as=and|how come=why|lots of=many|a lot of=many|loads of=many|plenty of=many|a couple of=2|a few=several|multiple=several|
  unable to=not can|not able to=not can|am able to=can|is able to=can|are able to=can|be able to=can|ok=okay|alright=okay|all right=okay|ps=ps|ceo=ceo|dob=date birth|date of birth=date birth|per cent=percent|us dollars=dollars|us dollar=dollars|american dollars=dollars|pounds sterling=gbp|
  near me=nearby|near to me=nearby|close to me=nearby|close by=nearby|near by=nearby|around here=nearby|near here=nearby|close to=near|instead of=instead_of|rather than=instead_of|in place of=instead_of|because of=because_of|due to=because_of|such as=such_as|according to=according_to|with regard to=about|with regards to=about|in regards to=about|regarding=about|concerning=about|
  different from=different|different than=different|different to=different|each other=each_other|at least=at_least|no less than=at_least|at most=at_most|no more than=at_most|more than=more_than|less than=less_than|fewer than=less_than|at all=|a bit=|a little bit=|kind of=kind|sort of=kind|type of=kind|types of=kind|kinds of=kind|sorts of=kind|any more=anymore|no longer=not anymore|
  every day=daily|each day=daily|per day=daily|every week=weekly|each week=weekly|per week=weekly|every month=monthly|each month=monthly|per month=monthly|every year=yearly|each year=yearly|per year=yearly|annually=yearly|annual=yearly|a day off=day off|what about=about|how about=about|used to=used_to|going to=will|am about to=will|ought to=should|supposed to=should|
  have to=must|has to=must|need to=must|needs to=must|had better=should|not only=not_only|out of stock=out_of_stock|in stock=in_stock|free of charge=for free|at no cost=for free|by myself=alone|on my own=alone|all by myself=alone|for me please=please|my own=my|of mine=mine|and also=and|but also=and|is able=can|zip code=zipcode|post code=postcode|credit card=credit card|screen shot=screenshot|web site=website|on line=online|off line=offline|time zone=timezone|user name=username|pass word=password|fill out=fill|fill in=fill|
  hook up=connect|kick off=start|call off=cancel|hand in=submit|put off=postpone|look up=search|look for=find|looking for=finding|search for=find|searching for=finding|look at=view|want to=want|wants to=want|like to=like|would like=want|wish to=want|whenever=when|wherever=where`;

const byPhrase = (lists: Readonly<Record<string, string>>): Phrases => new Map(Object.entries(lists).flatMap(([ask, phrases]) => list(phrases).map((phrase): [string, string[]] => [phrase, [ask]])));

export const OPENINGS: Phrases = byPhrase(OPENING_LISTS);
export const ALIASES: Phrases = new Map(list(ALIAS_LISTS).map((line) => {
  const [phrase = '', words = ''] = line.split('=');
  return [phrase, words.split(' ').filter((each) => each !== '')];
}));

/** Said after "I want to …": turns the wish into the question how. */
export const HOW_CLOSINGS: readonly string[] = list(`how do i do it|how do i do that|how do i do this|how can i do it|how can i do that|how can i do this|how would i do that|how would i do it|how should i do it|how do i go about it|how do i go about that|how do i go about this|how is it done|how is this done|how is that done`);

const CONTRACTION_LIST = `cannot=can not|can't=can not|won't=will not|shan't=shall not|ain't=is not|gonna=will|wanna=want to|gotta=have to|lemme=let me|gimme=give me|let's=let us|y'all=you|dont=do not|doesnt=does not|didnt=did not|cant=can not|wont=will not|isnt=is not|arent=are not|wasnt=was not|werent=were not|havent=have not|hasnt=has not|hadnt=had not|wouldnt=would not|
  couldnt=could not|shouldnt=should not|im=i am|ive=i have|whats=what is|hows=how is|wheres=where is|whos=who is|thats=that is|theres=there is|youre=you are|theyre=they are|u=you|ur=your|pls=please|plz=please|plse=please|thx=thanks|thanx=thanks|ty=thanks|howto=how to|o'clock=|oclock=|'cause=because|cos=because|cuz=because|bc=because|whens=when is|whys=why is|dunno=do not know|wud=would|shud=should|coulda=could have|aint=is not|w/o=without|teh=the|hte=the|adn=and|yuo=you|hwo=how|waht=what|wiht=with|taht=that|thsi=this|impossible=not possible|unable=not able`;
const PARTS: Readonly<Record<string, string>> = { m: 'am', re: 're', ve: 'have', ll: 'will', d: 'would' };
const IS_BEFORE_S = new Set('what how where who when why that it there here he she which everything something nothing'.split(' '));

const CONTRACTIONS: Phrases = new Map(list(CONTRACTION_LIST).map((line) => {
  const [word = '', words = ''] = line.split('=');
  return [word, words.split(' ').filter((each) => each !== '')];
}));

/** The words that a contraction stands for: `don't` → `do not`, `what's` → `what is`; the possessive loses its 's. */
export function openContraction(word: string): readonly string[] {
  const known = CONTRACTIONS.get(word);
  if (known !== undefined) return known;
  const apostrophe = word.indexOf("'");
  if (apostrophe < 0) return [word];
  if (word.endsWith("n't")) return [word.slice(0, -3), 'not'];
  const stem = word.slice(0, apostrophe);
  const part = word.slice(apostrophe + 1);
  if (part === 's') return IS_BEFORE_S.has(stem) ? [stem, 'is'] : [stem];
  if (part === 're') return [stem, 'are'];
  return part in PARTS ? [stem, PARTS[part] ?? part] : [word];
}
