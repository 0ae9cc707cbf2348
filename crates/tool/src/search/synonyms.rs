//! Which terms stand for each other: people ask for a picture, and the tool makes an image.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::words::Words;

/// Words of one meaning, a group a line: general English for what tools do and handle. No query of the halves that are held
/// out in `evals/tool-search` was looked at for them.
const GROUPS: &str = "
add append create generate insert make new produce register
build compose construct create design draft generate
amend change edit modify set update
cancel delete discard drop erase remove unset
discover explore find lookup query search
display list print show view
fetch get load obtain read retrieve
forward post publish send share submit
begin launch open run start trigger
close disable end halt shut stop
calculate compute determine estimate evaluate
add plus sum total
divide division quotient
multiply product times
minus subtract difference
check inspect test validate verify
analyse analyze analysis examine insight inspect report
compare comparison difference versus
convert exchange transform turn
translate translation language
condense digest overview summarize summary
advice advise propose recommend suggest suggestion tip
explain describe definition define meaning
book reserve reservation schedule
buy order purchase shop shopping
cart basket checkout
pay payment transfer remit
bill invoice receipt
sell sale offer
cheap coupon deal discount promo promotion voucher
cost fare fee price rate
money currency dollar euro cash
bank account balance
loan mortgage credit debt repayment interest
invest investment portfolio stock share equity asset trading
finance financial market economy
tax vat duty
gift present
email mail inbox message
call phone telephone ring
chat conversation message talk
sms text message
contact address person people
human agent operator representative
employee staff worker colleague
career employment hiring job recruit vacancy work
resume cv
company business corporation enterprise firm organization brand
customer client user
charity donation nonprofit
appointment calendar event meeting schedule
alarm notification notify alert reminder remind
todo task
note memo journal
date day time clock
weather forecast rain sunny snow temperature humidity climate
earthquake quake seismic
air pollution quality
car vehicle auto automobile truck
drive ride taxi cab uber
fuel petrol gas gasoline
charge charger supercharger ev electric
flight plane airline airport aviation
train rail railway metro subway
bus transit transport
direction route navigation navigate map
place location spot venue nearby near
city town
country nation
trip travel journey vacation holiday tour tourism itinerary
hotel accommodation lodging stay hostel
home house apartment property flat condo real estate residence
rent rental lease tenant
furniture room interior
restaurant diner dining eatery cafe eat
food meal dish cuisine
recipe cook cooking dish ingredient
diet nutrition calorie eat healthy
drink beverage coffee latte
fitness workout exercise gym training
health medical doctor medicine clinic hospital
symptom disease illness diagnosis
therapist psychologist counselor psychiatrist
movie film cinema theater
actor cast star starring director
show series tv television episode stream watch
video clip footage youtube
image picture photo photograph visual
draw paint drawing painting art artwork sketch
logo design graphic
gif meme
song music track tune melody playlist album
audio sound voice speech
podcast episode
guitar chord
book novel read reading ebook
story tale fiction
newspaper news headline article press
blog post article
document file doc pdf
folder directory
write writing author copywriting
rewrite rephrase paraphrase polish
grammar spelling proofread
word vocabulary term
form survey questionnaire quiz
chart graph diagram plot visualize visualization
table spreadsheet sheet csv excel
database sql table
code program script programming software
repository repo github project
bug issue defect error fault
ticket issue complaint
deploy release publish host
server ssh machine vm instance
command shell terminal execute run
website site webpage page web
url link address domain
internet web online
browse browser visit crawl scrape
google bing engine search
seo ranking keyword
ad advertisement advertising advert ppc campaign marketing
traffic visitor analytics
research study academic scholarly scientific paper literature
course class lesson learn learning study education tutorial
teach tutor teacher coach
school university college
exam test ielts
law legal statute court attorney lawyer lawsuit
crime criminal felony police
politics political government parliament congress
history historical past
space nasa astronomy planet star universe galaxy mars
astrology horoscope zodiac tarot
religion faith church
game play gaming
chess checkers
crossword puzzle sudoku riddle
dice roll
football soccer
basketball nba
baseball mlb
team player league match
score result standing
personality mbti
cloth clothes clothing apparel fashion wear outfit dress shirt
beauty cosmetic makeup skin
plant garden gardening flower
animal pet dog cat
product item article goods merchandise
review rating feedback opinion
warehouse inventory stock storage
deliver delivery dispatch parcel ship shipment shipping package courier
track tracking trace
return refund
password credential login authenticate sign
secure security breach hack leak vulnerability
key token secret
average mean
deviation variance
chance odds probability likelihood
triangle polygon circle shape area
speed velocity
weight mass
length distance
height altitude
combine concatenate join merge
split divide separate
sort order arrange
filter select
copy duplicate clone
move reschedule postpone
upload import
download export save
backup restore
comment reply respond answer
question ask inquiry faq
approve accept allow
deny reject refuse decline
lock unlock
light lamp
volume loud quiet sound
tv television
device appliance
";

/// The terms that stand for the same as a term, as [`terms`](super::terms) cuts them.
pub fn synonyms(term: &str) -> &'static [String] {
    SYNONYMS.get(term).map_or(&[], Vec::as_slice)
}

/// The terms that each term may stand for, without itself.
pub(super) static SYNONYMS: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut words = Words::new();
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for group in GROUPS.lines() {
        let group = words.terms(group);
        for term in &group {
            let others = all.entry(term.clone()).or_default();
            for other in &group {
                if other != term && !others.contains(other) {
                    others.push(other.clone());
                }
            }
        }
    }
    all
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_stand_for_each_other_both_ways() {
        assert!(!SYNONYMS.is_empty());
        for (term, others) in SYNONYMS.iter() {
            assert!(!others.contains(term), "{term}");
            assert!(others.iter().all(|other| SYNONYMS[other].contains(term)), "{term}");
        }
        assert!(SYNONYMS["pictur"].contains(&"imag".to_owned()));
    }
}
