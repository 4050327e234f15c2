package event

var vocabulary = [fieldCount]FieldInfo{
	ConsentProcessingCompleted:     {Name: "consent_processing_completed", Type: Bool, Absent: BoolValue(false), Meaning: "the processing that was consented to is complete, its purpose achieved"},
	BreachExists:                   {Name: "breach.exists", Type: Bool, Meaning: "the client has breached the contract"},
	BreachKind:                     {Name: "breach.kind", Type: Text, Values: []string{"payment", "other"}, Meaning: "what was breached"},
	BreachDate:                     {Name: "breach.date", Type: Day, Meaning: "the day of the breach"},
	BreachEndedOn:                  {Name: "breach.ended_on", Type: Day, Nullable: true, Meaning: "the day the breach ended; null while it lasts"},
	BreachInfoVerified:             {Name: "breach.info_verified_correct", Type: Bool, Meaning: "the information on the breach was checked and is correct"},
	ReviewRefused:                  {Name: "review_refused", Type: Bool, Absent: BoolValue(false), Meaning: "a review of an automated decision was refused"},
	EleringAccessGranted:           {Name: "elering_access_granted", Type: Bool, Meaning: "the client has given access to consumption data on Elering's platform"},
	ProcessorContract:              {Name: "processor.contract", Type: Bool, Meaning: "there is a contract with the processor (GDPR Art. 28)"},
	ProcessorConfidentiality:       {Name: "processor.confidentiality", Type: Bool, Meaning: "the processor is bound to secrecy"},
	ProcessorFollowsRules:          {Name: "processor.follows_controller_rules", Type: Bool, Meaning: "the processor follows the controller's rules"},
	ProcessorEstablishmentCountry:  {Name: "processor.establishment_country", Type: Text, Meaning: "where the processor is established (ISO 3166-1 alpha-2)"},
	ProcessorStorageCountry:        {Name: "processor.storage_country", Type: Text, Meaning: "where the processor keeps the data (ISO 3166-1 alpha-2)"},
	ProcessorAuthorisedActivity:    {Name: "processor.authorised_activity", Type: Text, Meaning: "what the processor is authorised to do"},
	ProcessorActivity:              {Name: "processor.activity", Type: Text, Meaning: "what the processor did"},
	TransferOnward:                 {Name: "transfer.onward", Type: Bool, Meaning: "the data are passed on by a recipient"},
	TransferByProcessor:            {Name: "transfer.by_processor", Type: Bool, Meaning: "a processor passes the data on"},
	TransferDestinationCountry:     {Name: "transfer.destination_country", Type: Text, Meaning: "where the data go (ISO 3166-1 alpha-2)"},
	TransferSafeguards:             {Name: "transfer.safeguards", Type: Text, Values: []string{"adequacy", "scc", "bcr", "other-legal", "none"}, Meaning: "the safeguard of a transfer to a third country (GDPR Art. 45-47)"},
	RecipientSameGroup:             {Name: "recipient_info.same_group", Type: Bool, Meaning: "the recipient belongs to the controller's group"},
	RecipientAuthorised:            {Name: "recipient_info.authorised", Type: Bool, Meaning: "the recipient is authorised to receive the data"},
	RecipientIndependentController: {Name: "recipient_info.independent_controller", Type: Bool, Meaning: "the recipient is a controller of its own"},
	RecipientProductMarketed:       {Name: "recipient_info.product_marketed", Type: Text, Meaning: "what the recipient will market"},
	RecipientProductOwner:          {Name: "recipient_info.product_owner", Type: Text, Meaning: "whose product it is"},
	EmployeeEmployedBy:             {Name: "employee.employed_by", Type: Text, Meaning: "the employer of the employee who acts"},
	EmployeeDutyRequires:           {Name: "employee.duty_requires", Type: Bool, Meaning: "the employee's duties require the act"},
	EmployeeTrained:                {Name: "employee.trained", Type: Bool, Meaning: "the employee has had the training"},
	EmployeePermitted:              {Name: "employee.permitted", Type: Bool, Meaning: "the employee has permission"},
	LegalObligationExists:          {Name: "legal_obligation.exists", Type: Bool, Meaning: "legislation obliges the controller to do it"},
	LegalObligationWithinScope:     {Name: "legal_obligation.within_request_scope", Type: Bool, Meaning: "what was given is within what the authority asked for"},
	Necessity:                      {Name: "necessity", Type: Bool, Meaning: "the act is necessary for its purpose"},
	Proportionality:                {Name: "proportionality", Type: Bool, Meaning: "the act is proportionate to its purpose"},
	JustifiedNeed:                  {Name: "justified_need", Type: Bool, Meaning: "there is a justified need"},
	AppropriateExtent:              {Name: "appropriate_extent", Type: Bool, Meaning: "the extent is appropriate"},
	SameCollectionPurpose:          {Name: "same_collection_purpose", Type: Bool, Meaning: "the data combined were collected for the same purpose"},
	SourceIsDataSubject:            {Name: "source_is_data_subject", Type: Bool, Meaning: "the data come from the person"},
	SourceOfData:                   {Name: "source", Type: Text, Meaning: "where the data come from: a source of the register"},
	ContractEnd:                    {Name: "contract_end", Type: Day, Nullable: true, Meaning: "the day the contract ended; null while it is valid"},
	ContractInForce:                {Name: "contract_in_force", Type: Bool, Meaning: "a contract is in force, so that another legal basis exists"},
	RelationshipEnd:                {Name: "relationship_end", Type: Day, Nullable: true, Absent: Value{State: Null}, Meaning: "the day the client relationship ended; null while it runs"},
	FinancialYearEnd:               {Name: "financial_year_end", Type: Day, Meaning: "the last day of the financial year of an accounting document"},
	DocumentDate:                   {Name: "document_date", Type: Day, Meaning: "the date of an accounting document; no period starts from it"},
	CommunicationEnd:               {Name: "communication_end", Type: Day, Meaning: "the day the communication ended"},
	RecordedOn:                     {Name: "recorded_on", Type: Day, Meaning: "the day of a call recording"},
	OfferDate:                      {Name: "offer_date", Type: Day, Meaning: "the day of a price offer"},
	DebtOrDispute:                  {Name: "debt_or_dispute", Type: Bool, Meaning: "the client has a payment default, a debt or a legal dispute with the controller"},
	BecameClient:                   {Name: "became_client", Type: Bool, Meaning: "who was made an offer became a client"},
	RecordingClass:                 {Name: "recording_class", Type: Text, Values: []string{"contract-basis", "contract-information", "billing-basis", "none-of-these"}, Meaning: "what a call recording is the basis of"},
	PriorInformationGiven:          {Name: "prior_information_given", Type: Bool, Meaning: "the person was informed beforehand"},
	SubjectRole:                    {Name: "subject_role", Type: Text, Values: []string{"client", "representative", "contact-person", "user"}, Absent: TextValue("client"), Meaning: "the person's role towards the controller"},
	Addressee:                      {Name: "addressee", Type: Text, Meaning: "who receives an offer"},
	AddresseeConsent:               {Name: "addressee_consent", Type: Bool, Meaning: "the addressee has consented"},
	Channel:                        {Name: "channel", Type: Text, Values: []string{"email", "sms", "mms", "phone", "post"}, Meaning: "by which channel a message went out"},
	ActorRelation:                  {Name: "actor_relation", Type: Text, Values: []string{"self", "family", "household", "acquaintance", "colleague", "none"}, Meaning: "what the person is to the employee who acts: the same person, or how they are related"},
	PublicFigure:                   {Name: "public_figure", Type: Bool, Meaning: "the person is in the public eye"},
}

var fieldsByName = func() map[string]int {
	m := make(map[string]int, len(vocabulary))
	for i := range vocabulary {
		vocabulary[i].Field = Field(i)
		m[vocabulary[i].Name] = i
	}
	return m
}()
