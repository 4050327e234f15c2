package history_test
import ("testing";"time";"github.com/andmerada/andmerada/internal/history")
func TestY(t *testing.T){
 set:=load(t)
 for i,end:=range []time.Time{{},time.Date(2026,4,2,0,0,0,0,time.UTC),time.Date(2028,7,1,3,0,0,0,time.UTC),time.Date(2027,3,20,0,0,0,0,time.UTC),time.Date(2026,11,23,0,0,0,0,time.UTC),time.Date(2026,3,30,0,0,0,0,time.UTC)} {
  for s:=range 4 {
  o:=history.Options{Seed:uint64(100*i+s),End:end,Events:[]int{30000,400000,5000,1000000}[s]/[]int{1,4,1,5}[s],Persons:[]int{700,5000,400,3000}[s]}
  g,err:=history.New(set,o); if err!=nil {t.Error(err);continue}
  m:=g.Manifest(); r:=m.Compare(newKeeper(t,set).judge(g.Events()))
  if !r.OK() {t.Error(o,r)}
  t.Log(o.Events, m.Totals.Events, r.AsPlanted)
 }}
}
